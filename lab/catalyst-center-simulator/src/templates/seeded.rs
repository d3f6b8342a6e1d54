//! The templates that a fresh controller holds: nine in three projects, eight of them committed.

/// A parameter: name, data type, required, default.
pub(super) type Parameter = (&'static str, &'static str, bool, Option<&'static str>);

/// A template of the first day.
pub(super) struct Seeded {
    pub(super) project: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) language: &'static str,
    pub(super) content: &'static str,
    pub(super) parameters: &'static [Parameter],
    /// Committed versions; 0 is a draft that cannot be deployed.
    pub(super) versions: u32,
}

pub(super) static PROJECTS: &[(&str, &str)] = &[
    ("Campus Access", "Ports and VLANs of the access layer"),
    ("Network Services", "NTP, SNMP, logging, banners"),
    ("Onboarding Configuration", "First configuration of new devices"),
];

pub(super) static TEMPLATES: &[Seeded] = &[
    Seeded {
        project: "Campus Access",
        name: "access-vlan",
        description: "Adds a VLAN to an access switch",
        language: "JINJA",
        content: "vlan {{ vlan_id }}\n name {{ vlan_name }}\n",
        parameters: &[("vlan_id", "INTEGER", true, None), ("vlan_name", "STRING", true, None)],
        versions: 2,
    },
    Seeded {
        project: "Campus Access",
        name: "access-port",
        description: "Puts a port into an access VLAN",
        language: "JINJA",
        content: "interface {{ interface }}\n description {{ description|default('Configured by template') }}\n switchport mode access\n switchport access vlan {{ vlan_id }}\n{% if voice_vlan %}\n switchport voice vlan {{ voice_vlan }}\n{% endif %}\n spanning-tree portfast\n no shutdown\n",
        parameters: &[
            ("interface", "STRING", true, None),
            ("vlan_id", "INTEGER", true, None),
            ("description", "STRING", false, None),
            ("voice_vlan", "INTEGER", false, None),
        ],
        versions: 1,
    },
    Seeded {
        project: "Campus Access",
        name: "interface-description",
        description: "Sets the description of one interface",
        language: "VELOCITY",
        content: "interface $interface\n description $description\n",
        parameters: &[("interface", "STRING", true, None), ("description", "STRING", true, None)],
        versions: 3,
    },
    Seeded {
        project: "Network Services",
        name: "ntp-servers",
        description: "Adds NTP servers",
        language: "JINJA",
        content: "{% for server in servers %}\nntp server {{ server }}\n{% endfor %}\n",
        parameters: &[("servers", "STRING", true, None)],
        versions: 1,
    },
    Seeded {
        project: "Network Services",
        name: "snmp-location",
        description: "Sets location and contact",
        language: "VELOCITY",
        content: "snmp-server location $location\n#if($contact)\nsnmp-server contact $contact\n#end\n",
        parameters: &[("location", "STRING", true, None), ("contact", "STRING", false, None)],
        versions: 1,
    },
    Seeded {
        project: "Network Services",
        name: "login-banner",
        description: "Replaces the login banner",
        language: "JINJA",
        content: "<MLTCMD>banner login ^C\n{{ text }}\n^C</MLTCMD>\n",
        parameters: &[("text", "STRING", true, None)],
        versions: 1,
    },
    Seeded {
        project: "Network Services",
        name: "logging-host",
        description: "Adds a log collector and saves the configuration",
        language: "VELOCITY",
        content: "logging host $host\nlogging trap $level\n#MODE_ENABLE\nwrite memory\n#MODE_END_ENABLE\n",
        parameters: &[("host", "IPADDRESS", true, None), ("level", "STRING", false, Some("informational"))],
        versions: 1,
    },
    Seeded {
        project: "Onboarding Configuration",
        name: "day0-baseline",
        description: "Name, domain and management basics of a new switch",
        language: "VELOCITY",
        content: "hostname $hostname\nip domain name $domain\nip ssh version 2\nno ip http server\nservice timestamps log datetime msec\n",
        parameters: &[("hostname", "STRING", true, None), ("domain", "STRING", false, Some("corp.example"))],
        versions: 1,
    },
    Seeded {
        project: "Onboarding Configuration",
        name: "uplink-draft",
        description: "Work in progress; not committed",
        language: "JINJA",
        content: "interface {{ interface }}\n switchport mode trunk\n",
        parameters: &[("interface", "STRING", true, None)],
        versions: 0,
    },
];
