# METADATA
# title: The promises of the policy, as tests that gate its activation
# description: Each test is true or the bundle stays out. Names begin with the rule of trust they hold.
package interlock.authz_test

import rego.v1

import data.interlock.authz

# ---- callers and calls --------------------------------------------------------

now := 1800000000

alice := {
	"issuer": "https://id.example", "subject": "alice", "person": "alice", "kind": "person", "client_id": "cli",
	"acr": null, "amr": ["pwd"], "auth_time": 1799999000, "mfa": false, "act": [], "proof": "signature",
}

program := object.union(alice, {"subject": "ci", "person": "ci", "kind": "client", "auth_time": null})

agent := object.union(alice, {"act": [{"subject": "agent"}]})

fresh_token := object.union(alice, {"mfa": true, "amr": ["pwd", "otp"], "auth_time": now - 100})

elevation := {"authenticated_at": now - 60, "expires_at": now + 600, "single_use": false}

single_use := object.union(elevation, {"single_use": true})

grant := {
	"id": "CHG-1", "expires_at": now + 3600, "approvers": 1, "approver_groups": [["network-engineers"]], "run": false,
	"proven_approvers": 0,
}

two_approvers := object.union(grant, {"approvers": 2, "approver_groups": [["network-engineers"], ["admin"]]})

# The same grants, as a run of the change uses them.
run := object.union(grant, {"run": true, "proven_approvers": 1})

run_of_two := object.union(two_approvers, {"run": true, "proven_approvers": 2})

call(groups, connector, risk) := {
	"groups": groups, "resource": connector, "action": authz.action_of[risk],
	"principal": alice,
	"server": {"name": connector, "connector": connector, "environment": "test"},
	"tool": {"name": "some_tool", "risk": risk},
	"arguments": {}, "targets": [], "change": null, "elevation": null,
	"now": now, "source": "192.0.2.1", "protocol": "mcp", "request_id": "r",
}

ticket(tool, risk) := object.union(call(["network-engineers"], "servicenow", risk), {"tool": {"name": tool, "risk": risk}})

deploy := call(["network-engineers"], "catalyst-center", "change")

reload := call(["network-engineers"], "catalyst-center", "disruptive")

govern := call(["admin"], "interlock", "control")

lab := data.profiles["lab-open"]

production := data.profiles.production

profiles := [lab, production, {}, null, {"change_required_for": "none"}]

four_groups := ["admin", "network-engineers", "service-desk", "developers"]

decide(i) := d if d := authz.decision with input as i with data.profile as lab

decide_in_production(i) := d if d := authz.decision with input as i with data.profile as production

# ---- the article's role table -------------------------------------------------

test_admin_may_ask_for_anything if {
	every r in ["read", "probe", "record", "change", "disruptive", "control"] {
		decide(call(["admin"], "anything", r)).effect in {"allow", "challenge"}
	}
}

test_network_engineers_read_write_execute if {
	every r in ["read", "probe", "record"] { decide(call(["network-engineers"], "catalyst-center", r)).allow }
	every r in ["change", "disruptive"] { decide(call(["network-engineers"], "catalyst-center", r)).effect == "challenge" }
}

test_network_engineers_do_not_govern if {
	d := decide(call(["network-engineers"], "catalyst-center", "control"))
	d.effect == "deny"
	"deny:no_grant" in d.reasons
}

test_network_engineers_only_their_connector if {
	every c in ["servicenow", "github", "rest-api-proxy", "vault"] {
		decide(call(["network-engineers"], c, "read")).effect == "deny"
	}
}

# Their changes keep a ticket, through ports that nobody can call; the desk's own tools stay the desk's.
test_network_engineers_reach_tickets_through_ports_only if {
	every tool in ["port_open_ticket", "port_advance_ticket", "port_attach_to_ticket", "port_find_ticket_conflicts"] {
		decide(ticket(tool, "record")).allow
	}
	every tool in ["port_read_ticket", "port_list_approvals"] { decide(ticket(tool, "read")).allow }
	every tool in ["list_incidents", "get_change_request"] { decide(ticket(tool, "read")).effect == "deny" }
	every tool in ["create_incident", "update_change_request"] { decide(ticket(tool, "record")).effect == "deny" }
	decide(ticket("set_change_schedule", "control")).effect == "deny"
}

test_service_desk_anything_in_servicenow if {
	every r in ["read", "record"] { decide(call(["service-desk"], "servicenow", r)).allow }
	decide(call(["service-desk"], "servicenow", "change")).effect == "challenge"
}

test_service_desk_reads_catalyst_center if decide(call(["service-desk"], "catalyst-center", "read")).allow

test_service_desk_only_reads_catalyst_center if {
	every r in ["probe", "record", "change", "disruptive", "control"] {
		decide(call(["service-desk"], "catalyst-center", r)).effect == "deny"
	}
}

test_developers_code_only if {
	every c in ["github", "rest-api-proxy"] { decide(call(["developers"], c, "record")).allow }
	every c in ["catalyst-center", "servicenow"] { decide(call(["developers"], c, "read")).effect == "deny" }
}

test_groups_add_up if decide(call(["developers", "service-desk"], "servicenow", "record")).allow

test_group_names_are_exact if {
	every g in ["Admin", "admin ", "ADMIN", "admins", ""] { decide(call([g], "github", "read")).effect == "deny" }
}

test_everyone_reads_interlock if {
	every gs in [[], ["nobody"], ["developers"]] { decide(call(gs, "interlock", "read")).allow }
	decide(object.union(call([], "interlock", "read"), {"principal": program})).allow
}

test_everyone_only_reads_interlock if {
	every r in ["probe", "record", "change", "disruptive", "control"] {
		decide(call([], "interlock", r)).effect == "deny"
	}
}

test_reads_name_their_grant if {
	"grant:network-engineers:catalyst-center:read" in decide(call(["network-engineers"], "catalyst-center", "read")).reasons
}

# ---- T26: the audit is the auditors' ------------------------------------------

tool_call(groups, connector, tool, risk) := object.union(call(groups, connector, risk), {"tool": {"name": tool, "risk": risk}})

audit_tools := {"get_audit_record", "search_audit"}

# What is reserved to nobody is everybody's.
holders(name) := object.get(data.roles.reserved, ["interlock", name], ["auditors"])

# Every tool of the operator's table, with everything proven: what is left to an auditor is the audit, and what is
# everybody's.
test_t26_an_auditor_holds_the_audit_and_changes_nothing if {
	reads := {["interlock", name] | some name, risk in data.risk.interlock; risk == "read"; "auditors" in holders(name)}
	auditors_hold := reads | {["interlock", "open_audit_payload"]}
	every connector, tools in data.risk {
		every name, risk in tools {
			i := object.union(tool_call(["auditors"], connector, name, risk), {"elevation": single_use, "change": two_approvers})
			every decision in [decide(i), decide_in_production(i)] {
				decision.allow == ([connector, name] in auditors_hold)
			}
		}
	}
}

test_t26_an_auditor_changes_nothing_that_the_table_does_not_name if {
	every c in ["interlock", "catalyst-center", "servicenow", "github"] {
		every r in ["probe", "record", "change", "disruptive", "control"] {
			decide(object.union(call(["auditors"], c, r), {"elevation": single_use, "change": two_approvers})).effect == "deny"
		}
	}
}

test_t26_nobody_else_reads_the_audit if {
	every groups in [[], ["admin"], ["network-engineers", "service-desk", "developers", "admin"], ["everyone"], ["Auditors"]] {
		every tool in audit_tools { decide(tool_call(groups, "interlock", tool, "read")).effect == "deny" }
		decide(object.union(tool_call(groups, "interlock", "open_audit_payload", "control"), {"elevation": single_use})).effect == "deny"
		seen_audit(groups, "person", false) == {"list_my_calls"}
	}
}

test_t26_auditors_read_the_audit if {
	every tool in audit_tools { decide(tool_call(["auditors"], "interlock", tool, "read")).allow }
	seen_audit(["auditors"], "person", false) == audit_tools | {"list_my_calls", "open_audit_payload"}
}

test_t26_a_payload_needs_a_person_alone_with_a_fresh_second_factor if {
	open := tool_call(["auditors"], "interlock", "open_audit_payload", "control")
	decide(open).effect == "challenge"
	decide(object.union(open, {"principal": fresh_token})).effect == "challenge"
	decide(object.union(open, {"elevation": elevation})).allow
	every p in [agent, program] { decide(object.union(open, {"principal": p, "elevation": single_use})).effect == "deny" }
	seen_audit(["auditors"], "person", true) == audit_tools | {"list_my_calls"}
	seen_audit(["auditors"], "client", false) == audit_tools | {"list_my_calls"}
}

test_t6_only_admin_reads_about_secrets if {
	every name in ["list_secrets", "get_secret_metadata"] {
		decide(tool_call(["admin"], "interlock", name, "read")).allow
		every groups in [[], ["auditors"], ["network-engineers"], ["developers", "service-desk"], ["admins"]] {
			decide(tool_call(groups, "interlock", name, "read")).effect == "deny"
			asked := {"groups": groups, "kind": "person", "acting": false, "tools": [entry("interlock", name, "read")]}
			pairs := authz.visible with input as asked
			pairs == set()
		}
	}
}

# ---- ports: what change control asks of a controller ----------------------------

ports := {
	"port_apply_step": "change", "port_describe_template": "read", "port_observe_device": "probe",
	"port_poll_step": "read", "port_prove_target": "read",
	"port_read_live_config": "probe", "port_reconcile_step": "probe", "port_render_lines": "read",
	"port_save_startup": "change", "port_stage_lines": "record",
}

# What a port reads is not masked, so that the right to read a controller is not enough.
test_t27_the_ports_of_a_controller_are_for_those_who_may_change_it if {
	every name, risk in ports {
		every group in ["admin", "network-engineers"] {
			decide(tool_call([group], "catalyst-center", name, risk)).effect in {"allow", "challenge"}
		}
		every groups in [[], ["service-desk"], ["developers", "auditors"], ["service-desk", "developers"]] {
			decide(tool_call(groups, "catalyst-center", name, risk)).effect == "deny"
			asked := {"groups": groups, "kind": "person", "acting": false, "tools": [entry("catalyst-center", name, risk)]}
			pairs := authz.visible with input as asked
			pairs == set()
		}
	}
}

# A text is staged before anybody has approved, and applied only afterwards (T21).
test_t21_staging_needs_no_change_and_applying_does if {
	decide_in_production(tool_call(["network-engineers"], "catalyst-center", "port_stage_lines", "record")).allow
	d := decide_in_production(tool_call(["network-engineers"], "catalyst-center", "port_apply_step", "change"))
	d.effect == "challenge"
	d.obligations.change.met == false
}

test_t26_somebody_in_both_groups_has_both if {
	decide(tool_call(["admin", "auditors"], "interlock", "search_audit", "read")).allow
	decide(tool_call(["admin", "auditors"], "github", "merge", "record")).allow
}

test_t26_reservations_of_another_form_leave_nothing_to_anybody if {
	every broken in ["x", [], {"interlock": []}, {"interlock": "auditors"}, null, 7] {
		broken_roles := object.union(data.roles, {"reserved": broken})
		i := tool_call(["admin"], "interlock", "whoami", "read")
		d := authz.decision with input as i with data.profile as lab with data.roles as broken_roles
		d.effect == "deny"
	}
}

audit_catalogue := [
	entry("interlock", "search_audit", "read"),
	entry("interlock", "get_audit_record", "read"),
	entry("interlock", "open_audit_payload", "control"),
	entry("interlock", "list_my_calls", "read"),
]

seen_audit(groups, kind, acting) := names if {
	asked := {"groups": groups, "kind": kind, "acting": acting, "tools": audit_catalogue}
	pairs := authz.visible with input as asked
	names := {pair[1] | some pair in pairs}
}

# ---- T6: obligations by risk --------------------------------------------------

test_t6_read_and_record_have_no_obligation if {
	every r in ["read", "record"] { decide_in_production(call(["admin"], "github", r)).obligations == {} }
}

test_t6_probe_carries_a_rate_that_does_not_block if {
	d := decide(call(["network-engineers"], "catalyst-center", "probe"))
	d.allow
	d.obligations.rate == {"met": true, "scope": "device", "per_minute": 30}
}

test_t6_change_needs_step_up if {
	d := decide(deploy)
	d.effect == "challenge"
	not d.allow
	"unmet:step_up" in d.reasons
	d.obligations.step_up.met == false
	d.obligations.step_up.max_age_s == 900
	object.keys(d.obligations) == {"approvers", "step_up"}
}

test_t6_elevation_meets_change if {
	d := decide(object.union(deploy, {"elevation": elevation}))
	d.allow
	d.obligations.step_up.met
	d.obligations.step_up.until == now + 600
}

test_t6_production_change_needs_both if {
	d := decide_in_production(deploy)
	d.effect == "challenge"
	"unmet:step_up" in d.reasons
	"unmet:change" in d.reasons
}

test_t6_production_elevation_is_not_a_change if {
	d := decide_in_production(object.union(deploy, {"elevation": elevation}))
	d.effect == "challenge"
	{r | some r in d.reasons; startswith(r, "unmet:")} == {"unmet:change"}
}

test_t6_production_change_is_not_a_step_up if {
	d := decide_in_production(object.union(deploy, {"change": grant}))
	{r | some r in d.reasons; startswith(r, "unmet:")} == {"unmet:step_up"}
}

test_t6_production_allows_with_both if {
	decide_in_production(object.union(deploy, {"change": grant, "elevation": elevation})).allow
}

test_t6_disruptive_needs_two_approvers if {
	one := object.union(reload, {"change": grant, "elevation": single_use})
	two := object.union(reload, {"change": two_approvers, "elevation": single_use})
	decide_in_production(one).effect == "challenge"
	decide_in_production(one).obligations.approvers.count == 2
	decide_in_production(two).allow
}

test_t6_control_needs_an_elevation_of_a_person_alone if {
	decide(govern).effect == "challenge"
	decide(object.union(govern, {"elevation": elevation})).allow
	decide(object.union(govern, {"principal": fresh_token})).effect == "challenge"
}

test_t6_control_never_by_an_agent if {
	d := decide(object.union(govern, {"principal": agent, "elevation": elevation}))
	d.effect == "deny"
	"deny:control_by_agent" in d.reasons
}

test_t6_control_never_by_a_program if {
	d := decide(object.union(govern, {"principal": program, "elevation": elevation}))
	d.effect == "deny"
	"deny:needs_a_person" in d.reasons
}

test_t6_a_program_never_changes_anything if {
	every r in ["change", "disruptive", "control"] {
		i := object.union(call(["admin"], "github", r), {"principal": program, "elevation": single_use, "change": two_approvers})
		decide(i).effect == "deny"
	}
}

test_t6_an_unknown_risk_is_disruptive if {
	every r in ["telepathic", "READ", "", 7, null, ["read"], {"read": "read"}] {
		i := object.union(reload, {"tool": {"name": "x", "risk": r}})
		decide(i).effect == "challenge"
		decide(object.union(i, {"elevation": elevation})).effect == "challenge"
		decide(object.union(i, {"elevation": single_use})).allow
	}
}

test_t6_a_missing_risk_is_disruptive if {
	i := object.union(object.remove(reload, ["tool"]), {"tool": {"name": "x"}})
	decide(i).effect == "challenge"
	"grant:network-engineers:catalyst-center:execute" in decide(i).reasons
}

# ---- T4: step-up --------------------------------------------------------------

test_t4_a_fresh_token_meets_change if {
	d := decide(object.union(deploy, {"principal": fresh_token}))
	d.allow
	d.obligations.step_up.until == now + 800
}

test_t4_a_fresh_token_is_not_enough_for_disruptive if {
	decide(object.union(reload, {"principal": fresh_token})).effect == "challenge"
}

test_t4_disruptive_needs_a_single_use_elevation if {
	decide(object.union(reload, {"elevation": elevation})).effect == "challenge"
	decide(object.union(reload, {"elevation": single_use})).allow
}

test_t4_no_factor_name_is_mfa_by_itself if {
	every m in ["mfa", "otp", "hwk", "swk", "duo", "fido", "phr"] {
		p := object.union(fresh_token, {"mfa": false, "amr": [m], "acr": m})
		decide(object.union(deploy, {"principal": p})).effect == "challenge"
	}
}

test_t2_userinfo_alone_opens_reads_and_records if {
	by_userinfo := object.union(alice, {"proof": "userinfo"})
	every group in four_groups {
		every risk in ["probe", "change", "disruptive", "control"] {
			c := object.union(call([group], "catalyst-center", risk), {
				"principal": by_userinfo, "elevation": single_use, "change": two_approvers,
			})
			"deny:userinfo_only" in decide(c).reasons
			decide(c).effect == "deny"
		}
	}
	decide(object.union(call(["admin"], "catalyst-center", "read"), {"principal": by_userinfo})).allow
	decide(object.union(call(["admin"], "servicenow", "record"), {"principal": by_userinfo})).allow
}

test_t4_auth_time_edges if {
	decide(object.union(deploy, {"principal": object.union(fresh_token, {"auth_time": now - 899})})).allow
	decide(object.union(deploy, {"principal": object.union(fresh_token, {"auth_time": now + 60})})).allow
	every t in [now - 900, now - 901, now + 61, 0, null, "1799999900", [], true] {
		p := object.union(fresh_token, {"auth_time": t})
		decide(object.union(deploy, {"principal": p})).effect == "challenge"
	}
}

test_t4_elevation_edges if {
	every change in [
		{"expires_at": now}, {"expires_at": now - 1}, {"expires_at": null}, {"expires_at": "2800000000"},
		{"authenticated_at": now - 900}, {"authenticated_at": now + 61}, {"authenticated_at": null},
	] {
		decide(object.union(deploy, {"elevation": object.union(elevation, change)})).effect == "challenge"
	}
}

test_t4_a_long_elevation_ends_after_fifteen_minutes if {
	d := decide(object.union(deploy, {"elevation": object.union(elevation, {"expires_at": now + 99999})}))
	d.obligations.step_up.until == (now - 60) + 900
}

test_t4_change_edges if {
	every edit in [
		{"expires_at": now}, {"expires_at": now - 1}, {"expires_at": "2800000000"}, {"approvers": 0},
		{"approvers": "2"}, {"approvers": null}, {"id": ""}, {"id": null}, {"expires_at": null},
		{"approver_groups": []}, {"approver_groups": null}, {"approver_groups": [[]]}, {"approver_groups": ["admin"]},
		{"approver_groups": [["service-desk"]]},
	] {
		i := object.union(deploy, {"elevation": elevation, "change": object.union(grant, edit)})
		decide_in_production(i).effect == "challenge"
	}
}

# ---- T16, T19: who approves, and what a run rests on ------------------------------

test_t16_policy_says_who_approves_and_how_many if {
	one := decide_in_production(deploy).obligations.approvers
	one == {"met": true, "groups": ["admin", "network-engineers"], "count": 1}
	decide_in_production(reload).obligations.approvers.count == 2
}

by_site := object.union(production, {"sites": {
	"Global/DC": {"change": {"groups": ["admin"], "count": 2}},
	"Global/DC/Lab": {"change": {"groups": ["network-engineers"], "count": 1}},
}})

at(sites) := [{"kind": "device", "id": site, "site": site} | some site in sites]

approvers_at(sites) := {"groups": o.groups, "count": o.count} if {
	i := object.union(deploy, {"targets": at(sites)})
	d := authz.decision with input as i with data.profile as by_site
	o := d.obligations.approvers
}

test_t16_a_site_may_have_approvers_of_its_own if {
	approvers_at(["Global/DC"]) == {"groups": ["admin"], "count": 2}
	approvers_at(["Global/DC/Row 1"]) == {"groups": ["admin"], "count": 2}
	approvers_at(["Global/DC/Lab/Rack"]) == {"groups": ["network-engineers"], "count": 1}
	approvers_at(["Global/DCX"]) == {"groups": ["admin", "network-engineers"], "count": 1}
	approvers_at(["Global/DC/Lab", "Global/Branch"]) == {"groups": ["network-engineers"], "count": 1}
	approvers_at(["Global/DC", "Global/Branch"]) == {"groups": ["admin"], "count": 2}
	approvers_at(["Global/DC", "Global/DC/Lab"]) == {"groups": [], "count": 2}
}

test_t16_approvers_of_another_form_leave_nobody if {
	every rule in [null, 1, {}, {"groups": "admin", "count": 1}, {"groups": ["admin"]}, {"groups": ["admin"], "count": 0}] {
		broken := object.union(object.remove(production, ["approvers"]), {"approvers": {"change": rule}})
		i := object.union(deploy, {"change": run})
		d := authz.decision with input as i with data.profile as broken
		d.effect == "challenge"
		d.obligations.approvers.groups == []
	}
}

test_t19_a_run_steps_up_by_its_approvers if {
	d := decide_in_production(object.union(deploy, {"change": run}))
	d.allow
	d.obligations.step_up == {"met": true, "until": now + 3600, "max_age_s": 900, "by": ["elevation", "fresh_token"]}
	decide_in_production(object.union(reload, {"change": run_of_two})).allow
}

test_t8_a_run_without_enough_proven_approvers_is_not_allowed if {
	every edit in [
		{"proven_approvers": 0}, {"proven_approvers": null}, {"proven_approvers": "1"}, {"run": false}, {"run": "true"},
		{"run": null}, {"expires_at": now}, {"approvers": 0}, {"approver_groups": []}, {"approver_groups": [["auditors"]]},
	] {
		not decide_in_production(object.union(deploy, {"change": object.union(run, edit)})).allow
	}
	every edit in [{"proven_approvers": 1}, {"approvers": 1}, {"approver_groups": [["admin"]]}] {
		not decide_in_production(object.union(reload, {"change": object.union(run_of_two, edit)})).allow
	}
}

test_t8_no_run_governs if {
	d := decide(object.union(govern, {"change": run_of_two}))
	not d.allow
	a := decide(object.union(govern, {"change": run_of_two, "principal": agent}))
	a.effect == "deny"
}

test_t19_a_run_has_no_more_rights_than_its_requester if {
	every groups in [[], ["service-desk"], ["developers"]] {
		i := object.union(call(groups, "catalyst-center", "change"), {"change": run_of_two})
		decide_in_production(i).effect == "deny"
	}
	decide_in_production(object.union(deploy, {"change": run, "principal": program})).effect == "deny"
}

# ---- T8: nobody is exempt, and claims prove nothing ---------------------------

test_t8_no_group_is_exempt_from_step_up if {
	every p in profiles {
		every g in four_groups {
			every r in ["change", "disruptive", "control"] {
				i := call([g], "catalyst-center", r)
				d := authz.decision with input as i with data.profile as p
				not d.allow
			}
		}
	}
}

test_t8_no_group_is_exempt_from_a_change if {
	every g in four_groups {
		every r in ["change", "disruptive"] {
			i := object.union(call([g], "catalyst-center", r), {"elevation": single_use, "principal": fresh_token})
			not decide_in_production(i).allow
		}
	}
}

test_t8_what_a_caller_says_meets_nothing if {
	claims := {
		"ticket": "CHG0012345", "change": {"id": "CHG0012345", "approved": true, "approvers": 9, "expires_at": now + 999},
		"approved": true, "mfa": true, "elevation": single_use,
	}
	i := object.union(deploy, {"arguments": claims, "ticket": "CHG0012345", "approval": {"status": "approved"}, "context": claims})
	d := decide_in_production(i)
	"unmet:step_up" in d.reasons
	"unmet:change" in d.reasons
}

test_t8_a_missing_profile_asks_for_everything if {
	every p in [null, {}, [], "lab-open", {"change_required_for": "none"}, {"approvers": {"change": "1"}}] {
		i := object.union(deploy, {"elevation": elevation})
		d := authz.decision with input as i with data.profile as p
		d.effect == "challenge"
		"unmet:change" in d.reasons
	}
}

test_t8_ill_typed_groups_allow_nothing if {
	every gs in ["admin", {"x": "admin"}, [["admin"]], [{"name": "admin"}], ["admin", 7], [null, "admin"], null, 7, true] {
		every c in ["interlock", "github"] {
			d := decide(object.union(call(["admin"], c, "read"), {"groups": gs}))
			d.effect == "deny"
			"deny:input_invalid" in d.reasons
		}
	}
}

test_t8_missing_groups_allow_nothing if {
	decide(object.remove(call(["admin"], "github", "read"), ["groups"])).effect == "deny"
}

test_t8_every_input_decides if {
	every i in [{}, [], null, 7, "x", true, {"groups": []}, {"principal": 7}, {"tool": "x"}, {"now": "x"}, {"elevation": 7}] {
		d := decide(i)
		d.effect == "deny"
		d.allow == false
		d.obligations == {}
		d.valid_until == null
		"deny:input_invalid" in d.reasons
	}
}

test_t8_an_action_that_the_risk_does_not_have_is_denied if {
	d := decide(object.union(call(["service-desk"], "catalyst-center", "change"), {"action": "read"}))
	d.effect == "deny"
	"deny:no_grant" in d.reasons
	e := decide(object.union(deploy, {"action": "read"}))
	e.effect == "deny"
	"deny:action_mismatch" in e.reasons
}

test_t8_a_server_of_another_connector_is_denied if {
	i := object.union(call(["service-desk"], "servicenow", "record"), {"server": {"name": "x", "connector": "catalyst-center"}})
	decide(i).effect == "deny"
	"deny:connector_mismatch" in decide(i).reasons
}

test_t8_no_obligations_when_denied if decide(call(["developers"], "catalyst-center", "change")).obligations == {}

# ---- T9: what may be kept -----------------------------------------------------

test_t9_reads_may_be_kept_for_a_minute if {
	every r in ["read", "probe"] { decide(call(["admin"], "github", r)).valid_until == now + 60 }
}

test_t9_writes_are_decided_each_time if {
	every r in ["record", "change", "disruptive", "control"] { decide(call(["admin"], "github", r)).valid_until == null }
	decide(object.union(deploy, {"elevation": elevation})).valid_until == null
}

# ---- T10: what is listed ------------------------------------------------------

entry(connector, name, risk) := {
	"server": {"name": sprintf("%s-1", [connector]), "connector": connector, "environment": "test"},
	"tool": {"name": name, "risk": risk}, "action": authz.action_of[risk],
}

catalogue := [
	entry("catalyst-center", "list_devices", "read"),
	entry("catalyst-center", "deploy_template", "change"),
	entry("interlock", "whoami", "read"),
	entry("interlock", "rotate", "control"),
	entry("github", "merge", "record"),
]

# The engine resolves no rule inside a `with` value, so the input is named first.
seen(groups, kind, acting) := names if {
	asked := {"groups": groups, "kind": kind, "acting": acting, "tools": catalogue}
	pairs := authz.visible with input as asked
	names := {pair[1] | some pair in pairs}
}

test_t10_service_desk_never_sees_a_deployment if {
	seen(["service-desk"], "person", false) == {"list_devices", "whoami"}
}

test_t10_network_engineers_see_a_deployment if {
	seen(["network-engineers"], "person", false) == {"list_devices", "deploy_template", "whoami"}
	seen(["network-engineers"], "person", true) == {"list_devices", "deploy_template", "whoami"}
}

test_t10_everyone_sees_interlock_reads if seen([], "person", false) == {"whoami"}

test_t10_admin_sees_all if seen(["admin"], "person", false) == {"list_devices", "deploy_template", "whoami", "rotate", "merge"}

test_t10_an_agent_never_sees_control if seen(["admin"], "person", true) == {"list_devices", "deploy_template", "whoami", "merge"}

test_t2_userinfo_alone_sees_reads_and_records if {
	asked := {"groups": ["admin"], "kind": "person", "acting": false, "proof": "userinfo", "tools": catalogue}
	pairs := authz.visible with input as asked
	{pair[1] | some pair in pairs} == {"list_devices", "whoami", "merge"}
}

test_t10_a_program_never_sees_what_needs_a_person if {
	seen(["admin"], "client", false) == {"list_devices", "whoami", "merge"}
}

test_t10_ill_typed_groups_see_nothing if {
	every gs in ["admin", [["admin"]], null, {"x": "admin"}] { seen(gs, "person", false) == set() }
}

test_t10_visible_is_total if {
	every i in [{}, null, 7, [], {"groups": ["admin"]}, {"groups": ["admin"], "kind": "person", "acting": false, "tools": "x"}] {
		v := authz.visible with input as i
		v == set()
	}
}
