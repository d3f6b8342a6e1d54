"""Everything that only reads: rows agree with counts, ids resolve, both ends of a cable agree."""


def read(center, check):
    """Returns a reachable access switch for the writes."""
    device = inventory(center, check)
    for run in (ports, places, assurance, clients):
        check.area(run.__name__, run, center, check, device)
    for run in (topology, controller):
        check.area(run.__name__, run, center, check)
    return device


def inventory(center, check):
    count = center("devices", "get_device_count").response
    rows = center.pages("devices", "get_device_list", 100)
    check.equal("count is the rows of paging", count, len(rows))
    check.equal("ids are unique", len({row.id for row in rows}), len(rows))
    families = {row.family for row in rows}
    check.that(
        "the campus families",
        families >= {"Switches and Hubs", "Routers", "Wireless Controller", "Unified AP"},
        families,
    )
    serials = [serial for row in rows for serial in row.serialNumber.split(", ")]
    check.equal("serial numbers are unique", len(set(serials)), len(serials))
    switches = center(
        "devices",
        "get_device_list",
        family="Switches and Hubs",
        role="ACCESS",
        softwareType="IOS-XE",
        reachabilityStatus="Reachable",
    ).response
    check.that("filters hold", switches and all(row.role == "ACCESS" for row in switches))
    device = switches[0]
    check.that(
        "wildcards", center("devices", "get_device_list", hostname=device.hostname[:6] + ".*").response
    )
    by_id = center("devices", "get_device_by_id", device.id).response
    check.equal("by id", by_id.serialNumber, device.serialNumber)
    serial = device.serialNumber.split(",")[0]
    check.equal("by serial", center("devices", "get_device_by_serial_number", serial).response.id, device.id)
    address = device.managementIpAddress
    check.equal("by address", center("devices", "get_network_device_by_ip", address).response.id, device.id)
    page = center(
        "devices", "get_network_device_by_pagination_range", start_index=1, records_to_return=7
    ).response
    check.equal("a range begins where the list does", [row.id for row in page], [row.id for row in rows[:7]])
    newer = center("devices", "retrieve_network_devices", limit="500", offset="1").response
    check.equal("the newer inventory has the same ids", {row.id for row in newer}, {row.id for row in rows[:500]})
    newer_count = center("devices", "count_the_number_of_network_devices").response
    check.equal("the newer count", newer_count["count"], count)
    found = center(
        "devices",
        "query_network_devices_with_filters",
        filter={"logicalOperator": "AND", "filters": [{"key": "role", "operator": "eq", "value": "CORE"}]},
        page={"limit": 500, "offset": 1},
        active_validation=False,
    ).response
    check.equal("a query in a body", {row.id for row in found}, {row.id for row in rows if row.role == "CORE"})
    summary = center("devices", "get_device_summary", device.id).response
    check.equal("brief", (summary.id, summary.role), (device.id, device.role))
    stack = center("devices", "get_stack_details_for_device", device.id).response
    check.equal(
        "stack members are the serial numbers",
        [row.serialNumber for row in stack.stackSwitchInfo],
        device.serialNumber.split(", "),
    )
    modules = center("devices", "get_modules", device_id=device.id).response
    check.equal("modules", center("devices", "get_module_count", device_id=device.id).response, len(modules))
    one = center("devices", "get_module_info_by_id", modules[0].id).response
    check.equal("a module by id", one.serialNumber, modules[0].serialNumber)
    config = center("devices", "get_device_config_by_id", device.id).response
    check.that("the host name stands in the configuration", f"\nhostname {device.hostname}\n" in config)
    check.that("copies are counted", 0 < center("devices", "get_device_config_count").response <= count)
    check.that("seconds between readings", center("devices", "get_polling_interval_by_id", device.id).response > 0)
    check.refused(
        "unknown device is 404",
        404,
        lambda: center("devices", "get_device_by_id", "00000000-0000-4000-8000-000000000000"),
    )
    check.refused("limit 501 is 400", 400, lambda: center("devices", "get_device_list", limit=501))
    return device


def ports(center, check, device):
    rows = center("devices", "get_interface_info_by_id", device.id).response
    count = center("devices", "get_device_interface_count_by_id", device.id).response
    check.equal("interfaces of a device", count, len(rows))
    access = next(row for row in rows if row.portMode == "access")
    check.that("numbers as text", isinstance(access.vlanId, str) and isinstance(access.speed, str), access)
    check.equal("an interface by id", center("devices", "get_interface_by_id", access.id).response.portName, access.portName)
    named = center("devices", "get_interface_details", device.id, name=access.portName).response
    check.equal("an interface by name", named.id, access.id)
    page = center(
        "devices", "get_device_interfaces_by_specified_range", device.id, start_index=1, records_to_return=3
    ).response
    check.equal("a range of interfaces", [row.id for row in page], [row.id for row in rows[:3]])
    everywhere = center("devices", "get_all_interfaces", limit=500, offset=1).response
    total = center("devices", "get_device_interface_count get_device_interface_count_v1").response
    check.that("all interfaces", len(everywhere) == 500 and total > 500, total)
    legit = center("devices", "legit_operations_for_interface", access.id).response
    check.equal("what may be done with it", legit.interfaceUuid, access.id)
    vlans = center("devices", "get_device_interface_vlans", device.id).response
    check.that("VLANs of a device", any(row.interfaceName == access.portName for row in vlans), vlans)
    management = center("devices", "get_interface_by_ip", device.managementIpAddress).response
    check.equal("an interface by address", management[0].deviceId, device.id)


def places(center, check, device):
    sites = center("site_design", "get_sites", limit=500).response
    check.equal("sites", center("site_design", "get_sites_count").response["count"], len(sites))
    known = {site.id for site in sites}
    check.that("parents are sites", all(site.parentId in known for site in sites if site.parentId))
    check.that("older sites", center("sites", "get_site", limit=5).response)
    check.equal("older count", center("sites", "get_site_count").response, len(sites))
    building = next(site for site in sites if site.type == "building")
    members = center("sites", "get_membership", building.id)["device"][0]["response"]
    assigned = center("site_design", "get_site_assigned_network_devices", site_id=building.id).response
    check.equal(
        "membership in both shapes", {row["id"] for row in members}, {row.deviceId for row in assigned}
    )
    own = center("site_design", "get_site_assigned_network_device", device.id).response
    check.that("the site of a device", own.siteId in known, own)
    health = center("sites", "get_site_health", limit=50).response
    check.that("site health", health and all(row.siteId in known for row in health))
    summaries = center("sites", "read_list_of_site_health_summaries", limit=500).response
    check.equal("summaries are of sites", {row.id for row in summaries}, known)
    count = center("sites", "read_site_count").response["count"]
    check.equal("count of summaries", count, len(summaries))
    one = center("sites", "read_site_health_summary_data_by_site_id", building.id).response
    check.equal("a building's devices", one.networkDeviceCount, len(members))


def assurance(center, check, device):
    list_name = "get_the_details_of_issues_for_given_set_of_filters_know_your_network"
    data = center("issues", list_name, limit=20)
    check.that("issues of the data API", data.page.count >= len(data.response) > 0, data)
    count_name = "get_the_total_number_of_issues_for_given_set_of_filters_know_your_network"
    check.equal("count of issues", center("issues", count_name).response["count"], data.page.count)
    one_name = "get_all_the_details_and_suggested_actions_of_an_issue_for_the_given_issue_id"
    one = center("issues", one_name, data.response[0].issueId).response
    check.equal("an issue by id", one.entityId, data.response[0].entityId)
    resolved = center("devices", "get_device_by_id", one.entityId).response
    check.equal("its device is in the inventory", resolved.id, one.entityId)
    older = center("issues", "issues")
    check.equal("issues as text", older.totalCount, str(len(older.response)))
    network = center("topology", "get_overall_network_health")
    check.that("network health", 0 <= network.latestHealthScore <= 100, network.latestHealthScore)
    rows = center("devices", "devices", limit=10).response
    check.that("device health", len(rows) == 10 and all(1 <= row.overallHealth <= 10 for row in rows))
    detail = center("devices", "get_device_detail", identifier="uuid", search_by=device.id).response
    check.equal("device detail", detail.nwDeviceName, device.hostname)
    kinds = center("event_management", "get_events", tags="ASSURANCE")
    check.equal("kinds of events", center("event_management", "count_of_events", tags="ASSURANCE").response, len(kinds))
    told = center("event_management", "get_notifications", limit=10)
    check.that("events are of known kinds", all(row.eventId in {kind.eventId for kind in kinds} for row in told))
    number = center("event_management", "count_of_notifications").response
    check.that("count of events", number >= len(told), number)


def clients(center, check, device):
    list_name = "retrieves_the_list_of_clients_while_also_offering_basic_filtering_and_sorting_capabilities"
    page = center("clients", list_name, connected_network_device_name=device.hostname, limit=500)
    check.that("clients of a switch", 0 < len(page.response) == page.page.count, page.page)
    client = page.response[0]
    check.equal("the device of a client", client.connectedNetworkDevice.connectedNetworkDeviceId, device.id)
    port = center(
        "devices", "get_interface_details", device.id, name=client.connectedNetworkDevice.interfaceName
    ).response
    check.equal("the port of a client is up", port.status, "up")
    one_name = "retrieves_specific_client_information_matching_the_macaddress"
    one = center("clients", one_name, client.macAddress).response
    check.equal("a client by address", one.name, client.name)
    detail = center("clients", "get_client_detail", mac_address=client.macAddress)
    check.equal("the older detail", detail.detail.hostIpV4, client.ipv4Address)
    total = center("clients", "retrieves_the_total_count_of_clients_by_applying_basic_filtering").response["count"]
    health = center("clients", "get_overall_client_health").response[0]
    check.equal("health counts every client", health.scoreDetail[0].clientCount, total)


def topology(center, check):
    graph = center("topology", "get_physical_topology").response
    count = center("devices", "get_device_count").response
    check.equal("nodes are devices", len(graph.nodes), count)
    nodes = {node.id for node in graph.nodes}
    check.that("cables join nodes", all(link.source in nodes and link.target in nodes for link in graph.links))
    # Both ends of a cable say the same about it.
    names = {node.id: node.label for node in graph.nodes}
    link = next(link for link in graph.links if link.linkStatus == "up" and link.startPortID and link.endPortID)
    for own, own_port, far, far_port in (
        (link.source, link.startPortID, link.target, link.endPortName),
        (link.target, link.endPortID, link.source, link.startPortName),
    ):
        seen = center("devices", "get_connected_device_detail", own, own_port).response
        check.equal(
            f"the neighbour of {names[own]}", (seen.neighborDevice, seen.neighborPort), (names[far], far_port)
        )
    sites = center("topology", "get_site_topology").response
    check.that("site topology", any(site.locationType == "floor" for site in sites.sites))
    vlans = center("topology", "get_vlan_details").response
    check.that("VLAN names", "Vlan10" in vlans, vlans)
    routed = center("topology", "get_l3_topology_details", topology_type="ospf").response
    check.that("routers of OSPF", 0 < len(routed.nodes) < count, len(routed.nodes))


def controller(center, check):
    release = center("platform", "release_summary cisco_catalyst_center_release_summary").response
    check.that("release", release.installedVersion)
    packages = center("platform", "packages_summary cisco_catalyst_center_packages_summary").response
    check.that("packages", packages and packages[0].version)
    nodes = center("platform", "nodes_configuration_summary cisco_catalyst_center_nodes_configuration_summary")
    check.that("nodes", nodes.response.nodes)
    images = center("software_image_management_swim", "get_software_image_details").response
    golden = center("software_image_management_swim", "get_software_image_details", is_tagged_golden=True).response
    check.equal("one golden image a family", len(golden), len({image.family for image in images}))
    newer = center("software_image_management_swim", "returns_list_of_software_images").response
    check.equal("the newer list of images", {image.id for image in newer}, {image.imageUuid for image in images})
    advisories = center("security_advisories", "get_advisories_list").response
    summary = center("security_advisories", "get_advisories_summary").response
    check.equal("advisories", sum(row["TOTAL"] for row in summary.values()), len(advisories))
    concerned = center("security_advisories", "get_devices_per_advisory", advisories[0].advisoryId).response
    check.equal("devices of an advisory", len(concerned), advisories[0].deviceCount)
    keywords = center(
        "command_runner",
        "get_all_keywords_of_clis_accepted get_all_keywords_of_clis_accepted_by_command_runner",
    ).response
    check.that("commands", "show" in keywords, keywords)
