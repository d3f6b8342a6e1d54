# What a caller sees (rule T10): a tool is listed when policy could allow or challenge it under some arguments, time or
# obligation. One query answers for a whole catalogue; the input is platform::policy::VisibilityInput. Grants come from
# authz.rego, where the package is described.
package interlock.authz

import rego.v1

default catalogue := []

catalogue := input.tools if is_array(input.tools)

# Risk classes that this sort of caller can reach at all. Each rule stands behind those that it reads: the engine needs it.
default reachable := set()

reachable := risks if {
	input.kind == "person"
	input.acting == false
}

reachable := {"read", "probe", "record", "change", "disruptive"} if {
	input.kind == "person"
	input.acting == true
}

reachable := {"read", "probe", "record"} if {
	input.kind == "client"
	is_boolean(input.acting)
}

# T2: what userinfo mode never opens is not shown.
withheld contains risk_class if {
	input.proof == "userinfo"
	some risk_class in beyond_userinfo
}

possible := reachable - withheld

# Connectors and risk classes that the caller's grants open.
opens contains [connector, risk_class] if {
	some entry in lines
	is_array(entry.line.connectors)
	some risk_class in possible
	action_matches(entry.line, action_of[risk_class])
	some connector in entry.line.connectors
}

opens_anywhere contains risk_class if {
	some entry in lines
	entry.line.connectors == "any"
	some risk_class in possible
	action_matches(entry.line, action_of[risk_class])
}

# What is not a risk class is disruptive.
entry_risk(tool) := tool.risk if tool.risk in risks

entry_risk(tool) := "disruptive" if count({tool.risk} & risks) == 0

# Tools that data.roles.only_groups keeps for groups which the caller is not in.
kept_from contains [connector, name] if {
	some connector, tools in only_groups
	is_object(tools)
	some name, groups in tools
	count(listed(groups) & caller_groups) == 0
}

visible contains [entry.server.name, entry.tool.name] if {
	some entry in catalogue
	[entry.server.connector, entry_risk(entry.tool)] in opens
	count({[entry.server.connector, entry.tool.name]} & kept_from) == 0
}

visible contains [entry.server.name, entry.tool.name] if {
	some entry in catalogue
	entry_risk(entry.tool) in opens_anywhere
	count({[entry.server.connector, entry.tool.name]} & kept_from) == 0
}
