"""What ntc-templates, an independent reader of `show` output, makes of fixtures/show, as rows of values.

    python oracle/show.py --write     writes fixtures/show/<platform>/<command>.rows
    python oracle/show.py             compares, prints one line a command, exits 1 where something differs

Takes the PyPI package `ntc-templates`. The suite compares our parsers with the written rows; this script proves that the rows
are the oracle's own. What the oracle cannot read, or reads otherwise for a reason, is named in EXPLAINED.
"""

import sys
from pathlib import Path

from ntc_templates.parse import parse_output

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "show"
OS = {"ios-xe": "cisco_ios", "nx-os": "cisco_nxos"}

# No template, or one that does not read this output: the parsers are held by tests of their own there.
EXPLAINED = {
    ("ios-xe", "show_spanning-tree_summary"): "no template",
    ("nx-os", "show_spanning-tree_summary"): "no template",
    ("nx-os", "show_ip_route_summary"): "no template",
}


def bare(value):
    return (value or "").replace(" ", "")


ROWS = {
    "show_version": lambda r, p: [r["version"] if p == "ios-xe" else r["os"].split(" ")[0], r["hostname"],
                                  ",".join(r["serial"]) if isinstance(r["serial"], list) else r["serial"]],
    "show_inventory": lambda r, p: [r["name"], r["descr"], r["pid"].strip(), r["vid"].strip(), r["sn"].replace("N/A", "")],
    "show_clock": lambda r, p: [r["time"], r["timezone"], r["month"], r["day"], r["year"]],
    "show_interfaces_status": lambda r, p: [r["port"], r["name"].strip(), r["status"], r["vlan_id"], r["duplex"], r["speed"], r["type"]],
    "show_ip_interface_brief": lambda r, p: [
        r["interface"],
        "" if r["ip_address"] == "unassigned" else r["ip_address"],
        # On NX-OS the template's `status` is the administrator's, its `proto` the protocol's, whatever stands first.
        "disabled" if "down" in r["status"] and "admin" in r["status"] else "enabled",
        "up" if r["proto"] in ("up", "protocol-up") else "down",
    ],
    "show_vlan_brief": lambda r, p: [r["vlan_id"], r["vlan_name"], r["status"], ",".join(r["interfaces"])],
    "show_cdp_neighbors": lambda r, p: [r["neighbor_name"], bare(r["local_interface"]), bare(r["neighbor_interface"]), r["platform"]],
    "show_lldp_neighbors": lambda r, p: [r["neighbor_name"].strip(), r["local_interface"], r["neighbor_interface"]],
    "show_ip_ospf_neighbor": lambda r, p: [r["neighbor_id"], bare(r["state"]).replace("/-", "/"), r["ip_address"], r["interface"]],
    "show_ip_bgp_summary": lambda r, p: [
        r.get("bgp_neighbor") or r.get("bgp_neigh"), r.get("neighbor_as") or r.get("neigh_as"), r["up_down"],
        r.get("state_or_prefixes_received") or r.get("state_pfxrcd"),
    ],
    "show_ip_route_summary": lambda r, p: [r["route_source"], str(int(r["networks"] or 0) + int(r["subnets"] or 0))],
}
# The template of another name that reads the same output.
TEMPLATE = {"show_vlan_brief": "show vlan"}


def rows(platform, command, text):
    key = "show_interfaces_status" if command == "show_interface_status" else command
    name = TEMPLATE.get(command, command.replace("_", " "))
    records = parse_output(platform=OS[platform], command=name, data=text)
    # `internal` counts entries of the table's own, not routes of a source.
    records = [record for record in records if record.get("route_source") != "internal"]
    return ["|".join(ROWS[key](record, platform)) for record in records]


def main():
    write, differ = "--write" in sys.argv, 0
    for fixture in sorted(FIXTURES.glob("*/*.txt")):
        platform, command = fixture.parent.name, fixture.stem
        if (platform, command) in EXPLAINED:
            print(f"show oracle: {platform} {command}: {EXPLAINED[platform, command]}")
            continue
        found = "\n".join(rows(platform, command, fixture.read_text())) + "\n"
        kept = fixture.with_suffix(".rows")
        if write:
            kept.write_text(found)
        same = kept.exists() and kept.read_text() == found
        differ += not same
        print(f"show oracle: {platform} {command}: {found.count(chr(10))} rows, {'as kept' if same else 'not as kept'}")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
