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

# Names that one line names or that are reserved: few, and each looked at by itself. All others follow from the lines that
# name no tools.
special contains name if {
	some entry in lines
	is_array(entry.line.tools)
	some name in entry.line.tools
}

special contains name if {
	reserved_is_valid
	some tools in reserved
	some name, _ in tools
}

# Connectors and risk classes that the caller's grants open.
opens contains [connector, risk_class] if {
	some entry in lines
	tool_matches(entry.line, null)
	is_array(entry.line.connectors)
	some risk_class in possible
	action_matches(entry.line, action_of[risk_class])
	some connector in entry.line.connectors
}

opens_anywhere contains risk_class if {
	some entry in lines
	entry.line.connectors == "any"
	tool_matches(entry.line, null)
	some risk_class in possible
	action_matches(entry.line, action_of[risk_class])
}

# What is not a risk class is disruptive.
entry_risk(tool) := tool.risk if tool.risk in risks

entry_risk(tool) := "disruptive" if count({tool.risk} & risks) == 0

visible contains [entry.server.name, entry.tool.name] if {
	reserved_is_valid
	some entry in catalogue
	count({entry.tool.name} & special) == 0
	[entry.server.connector, entry_risk(entry.tool)] in opens
}

visible contains [entry.server.name, entry.tool.name] if {
	reserved_is_valid
	some entry in catalogue
	count({entry.tool.name} & special) == 0
	entry_risk(entry.tool) in opens_anywhere
}

visible contains [entry.server.name, entry.tool.name] if {
	some entry in catalogue
	entry.tool.name in special
	some given in lines
	entry_risk(entry.tool) in possible
	connector_matches(given.line, entry.server.connector)
	action_matches(given.line, action_of[entry_risk(entry.tool)])
	tool_matches(given.line, entry.tool.name)
	holds(given.to, entry.server.connector, entry.tool.name)
}
