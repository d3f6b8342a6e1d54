# METADATA
# title: Interlock, what may happen
# description: |
#   One total decision per call: role grants (the article's RBAC, in data.roles) give the right to ask, the risk class
#   (rule T6) says what must be proven, and only facts that the platform verified prove it (rule T8).
#   Every rule that another rule reads is total, and `not` never stands before a call: engines differ there.
#   Where next: visible.rego for what a caller sees listed, authz_test.rego for the promises.
# scope: package
package interlock.authz

import rego.v1

# ---- constants --------------------------------------------------------------

# The article's action of each risk class (T6).
action_of := {
	"read": "read",
	"probe": "execute",
	"record": "write",
	"change": "write",
	"disruptive": "execute",
	"control": "admin",
}

risks := {"read", "probe", "record", "change", "disruptive", "control"}

# What a person proves with a second factor, in every profile and for every group (T8).
step_up_risks := {"change", "disruptive", "control"}

# What userinfo mode never opens (T2): only `read` and `record` are left.
beyond_userinfo := {"probe", "change", "disruptive", "control"}

# T4: at most 15 minutes; a clock may run ahead by a minute, and no more.
step_up_max_age_s := 900

clock_skew_s := 60

# ---- input: wrong types never reach a grant ---------------------------------

default valid_groups := false

valid_groups if {
	is_array(input.groups)
	every g in input.groups { is_string(g) }
}

default valid_principal := false

valid_principal if {
	input.principal.kind in {"person", "client"}
	is_string(input.principal.issuer)
	input.principal.issuer != ""
	is_string(input.principal.subject)
	input.principal.subject != ""
	is_boolean(input.principal.mfa)
	is_array(input.principal.act)
}

default valid_facts := false

valid_facts if {
	type_name(input.change) in {"null", "object"}
	type_name(input.elevation) in {"null", "object"}
	is_number(input.now)
	input.now == floor(input.now)
	input.now > 0
	input.now < 100000000000
}

default valid_input := false

valid_input if {
	valid_groups
	valid_principal
	valid_facts
	is_string(input.resource)
	input.resource != ""
	is_string(input.server.name)
	is_string(input.tool.name)
	input.tool.name != ""
}

# An unknown, missing or ill-typed risk is disruptive.
default risk := "disruptive"

risk := input.tool.risk if input.tool.risk in risks

action := action_of[risk]

# ---- grants: the right to ask -----------------------------------------------

# Lines of data.roles that belong to the caller, each with whom it was given to.
lines contains {"to": "everyone", "line": line} if {
	valid_groups
	is_array(data.roles.everyone)
	some line in data.roles.everyone
}

lines contains {"to": group, "line": line} if {
	valid_groups
	some group in input.groups
	is_array(data.roles.groups[group])
	some line in data.roles.groups[group]
}

connector_matches(line, _) if line.connectors == "any"

connector_matches(line, connector) if {
	is_array(line.connectors)
	connector in line.connectors
}

action_matches(line, _) if line.actions == "any"

action_matches(line, wanted) if {
	is_array(line.actions)
	wanted in line.actions
}

# A line that names tools opens these and no others.
tool_matches(line, _) if object.get(line, "tools", "any") == "any"

tool_matches(line, tool) if {
	is_array(line.tools)
	tool in line.tools
}

# Tools that only the groups named for them hold, by connector: no line for everyone and no `any` reaches them, so that
# duties stay apart. A list that is not of this form leaves nothing to anybody.
reserved := object.get(data.roles, "reserved", {})

default reserved_is_valid := false

reserved_is_valid if {
	is_object(reserved)
	every tools in reserved { is_object(tools) }
}

holds(_, connector, tool) if {
	reserved_is_valid
	object.get(reserved, [connector, tool], null) == null
}

holds(to, connector, tool) if {
	reserved_is_valid
	groups := object.get(reserved, [connector, tool], null)
	is_array(groups)
	to in groups
}

grants contains concat(":", [entry.to, input.resource, action]) if {
	valid_input
	some entry in lines
	connector_matches(entry.line, input.resource)
	action_matches(entry.line, action)
	tool_matches(entry.line, input.tool.name)
	holds(entry.to, input.resource, input.tool.name)
}

# ---- denies always win ------------------------------------------------------

denies contains "input_invalid" if not valid_input

denies contains "no_grant" if count(grants) == 0

# The action follows from the risk; a caller of this policy who says otherwise is wrong, not more powerful.
denies contains "action_mismatch" if {
	valid_input
	not action_agrees
}

denies contains "connector_mismatch" if {
	valid_input
	not connector_agrees
}

# A program cannot pass a second factor.
denies contains "needs_a_person" if {
	risk in step_up_risks
	not is_person
}

# A token that only the userinfo endpoint took proves neither its audience nor how somebody signed in (T2).
denies contains "userinfo_only" if {
	input.principal.proof == "userinfo"
	risk in beyond_userinfo
}

# Governing the platform is a person's own act (T6, T8).
denies contains "control_by_agent" if {
	risk == "control"
	not acts_alone
}

default action_agrees := false

action_agrees if input.action == action

default connector_agrees := false

connector_agrees if input.server.connector == input.resource

default is_person := false

is_person if input.principal.kind == "person"

default acts_alone := false

acts_alone if input.principal.act == []

default permitted := false

permitted if count(denies) == 0

# ---- obligations: what must be proven ---------------------------------------

# A missing or broken profile asks for everything.
default profile := {}

profile := data.profile if is_object(data.profile)

default change_risks := {"change", "disruptive"}

change_risks := {r | some r in profile.change_required_for} if is_array(profile.change_required_for)

# Who may approve, and how many of them it takes (T16): `{groups, count}` by risk, and by site where the profile says so: the
# longest part of the site hierarchy that it names. For several targets all of it together holds. What is of another form
# leaves nobody who could.
default sites := {}

sites := profile.sites if is_object(profile.sites)

valid_rule(rule) if {
	is_object(rule)
	is_array(rule.groups)
	every group in rule.groups { is_string(group) }
	is_number(rule.count)
	rule.count >= 1
}

within(site, place) if site == place

within(site, place) if startswith(site, concat("", [place, "/"]))

default targets := []

targets := input.targets if is_array(input.targets)

# Lengths of the places that a target's site is in and that say something about this risk.
places_of(target) := {count(place) |
	is_string(target.site)
	some place, rules in sites
	is_object(rules[risk])
	within(target.site, place)
}

approver_rules contains rule if {
	some target in targets
	lengths := places_of(target)
	count(lengths) > 0
	some place, rules in sites
	count(place) == max(lengths)
	within(target.site, place)
	rule := rules[risk]
}

# The general rule, for targets that no place is named for and where there are none.
approver_rules contains rule if {
	some target in targets
	count(places_of(target)) == 0
	rule := profile.approvers[risk]
}

approver_rules contains rule if {
	count(targets) == 0
	rule := profile.approvers[risk]
}

default approvers_valid := false

approvers_valid if {
	count(approver_rules) > 0
	every rule in approver_rules { valid_rule(rule) }
}

default approver_groups := set()

approver_groups := intersection({{g | some g in rule.groups} | some rule in approver_rules}) if approvers_valid

default approvers_needed := 2

approvers_needed := max({rule.count | some rule in approver_rules}) if approvers_valid

# Approvers that the policy of now would still take: an entry each, with the groups by which they approved.
default eligible := 0

eligible := count([1 |
	some groups in input.change.approver_groups
	is_array(groups)
	count({g | some g in approver_groups; g in groups}) > 0
]) if {
	is_array(input.change.approver_groups)
}

needs contains "step_up" if risk in step_up_risks

needs contains "change" if risk in change_risks

# The facts are the platform's; their edges are compared here, and nothing that a caller said is.
default elevation_until := 0

elevation_until := min([input.elevation.expires_at, input.elevation.authenticated_at + step_up_max_age_s]) if {
	is_number(input.elevation.expires_at)
	is_number(input.elevation.authenticated_at)
	input.elevation.authenticated_at <= input.now + clock_skew_s
}

# A key or a code alone is not MFA: only the issuer's entry says what is (T4), and it said so in `mfa`.
default token_until := 0

token_until := input.principal.auth_time + step_up_max_age_s if {
	input.principal.mfa == true
	is_number(input.principal.auth_time)
	input.principal.auth_time <= input.now + clock_skew_s
}

default single_use_until := 0

single_use_until := elevation_until if input.elevation.single_use == true

default change_until := 0

change_until := input.change.expires_at if {
	is_string(input.change.id)
	input.change.id != ""
	is_number(input.change.expires_at)
	is_number(input.change.approvers)
	input.change.approvers >= approvers_needed
	eligible >= approvers_needed
}

# A change's own run has nobody who could pass a second factor. The approvers did, for this plan and after they had seen it
# (T16), and theirs stand for it; how many it takes, the same rule says.
default run_until := 0

run_until := change_until if {
	input.change.run == true
	is_number(input.change.proven_approvers)
	input.change.proven_approvers >= approvers_needed
}

default step_up_until := 0

# A fresh token is enough for `change` only (T4).
step_up_until := max([elevation_until, token_until, run_until]) if risk == "change"

# For one call with these very arguments.
step_up_until := max([single_use_until, run_until]) if risk == "disruptive"

step_up_until := elevation_until if risk == "control"

met contains "step_up" if {
	is_person
	is_number(input.now)
	input.now < step_up_until
}

met contains "change" if {
	is_number(input.now)
	input.now < change_until
}

unmet := needs - met

edges := {"step_up": step_up_until, "change": change_until}

parameters := {
	"step_up": {"max_age_s": step_up_max_age_s, "by": step_up_by},
	"change": {},
}

# How the second factor may be shown, for the person who reads the refusal.
default step_up_by := ["elevation"]

step_up_by := ["elevation", "fresh_token"] if risk == "change"

# `until` says until when a met obligation stays met; the clock is read again when the call is reserved (T7).
blocking := object.union(
	{name: object.union(parameters[name], {"met": true, "until": edges[name]}) | some name in (needs & met)},
	{name: object.union(parameters[name], {"met": false}) | some name in unmet},
)

# A rate never blocks here; the platform counts.
default rate := {}

rate := {"rate": object.union(profile.rates[risk], {"met": true})} if is_object(profile.rates[risk])

# Who would have to approve; whether they did, `change` says.
default approvers := {}

approvers := {"approvers": {"met": true, "groups": sort(approver_groups), "count": approvers_needed}} if {
	risk in {"change", "disruptive"}
}

default obligations := {}

obligations := object.union_n([blocking, rate, approvers]) if permitted

# ---- the decision -----------------------------------------------------------

default allow := false

allow if {
	permitted
	count(unmet) == 0
}

default effect := "deny"

effect := "allow" if allow

effect := "challenge" if {
	permitted
	count(unmet) > 0
}

# Reads repeat and may be kept for a moment; a write is decided each time (T9).
default valid_until := null

valid_until := input.now + 60 if {
	valid_input
	risk in {"read", "probe"}
}

default revision := "unversioned"

revision := data.revision if is_string(data.revision)

reasons contains concat("", ["grant:", name]) if some name in grants

reasons contains concat("", ["deny:", name]) if some name in denies

reasons contains concat("", ["unmet:", name]) if {
	permitted
	some name in unmet
}

decision := {
	"allow": allow,
	"effect": effect,
	"reasons": sort(reasons),
	"obligations": obligations,
	"valid_until": valid_until,
	"revision": revision,
}
