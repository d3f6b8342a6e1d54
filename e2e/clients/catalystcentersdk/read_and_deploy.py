"""Reads and deploys with Cisco's own SDK against the simulated Catalyst Center.

    python read_and_deploy.py BASE_URL USER PASSWORD

Prints one JSON summary and the count; exit code 0 = every check held, 1 = a check failed, 2 = the SDK or the simulator raised.
"""

import importlib.metadata
import json
import pathlib
import re
import sys
import tempfile
import time
import traceback

from catalystcentersdk import api


class Checks:
    """Named checks; each is printed, failed ones decide the exit code."""

    def __init__(self):
        self.passed, self.failed = [], []

    def that(self, name, holds, seen=None):
        (self.passed if holds else self.failed).append(name if holds else {"check": name, "seen": repr(seen)[:300]})


def main(base_url, user, password):
    sdk = importlib.metadata.version("catalystcentersdk")
    version = {"2.3.7.9": "2.3.7.9", "3.1.3.0": "3.1.3.0"}[".".join(sdk.split(".")[:4])]
    center = api.CatalystCenterAPI(username=user, password=password, base_url=base_url, version=version, verify=False)
    check = Checks()
    calls = 0

    def call(method, *args, **kwargs):
        nonlocal calls
        calls += 1
        return method(*args, **kwargs)

    # Inventory: the count is the number of rows of paging.
    count = call(center.devices.get_device_count).response
    rows, offset = [], 1
    while True:
        page = call(center.devices.get_device_list, offset=offset, limit=100).response
        rows += page
        if len(page) < 100:
            break
        offset += 100
    check.that("count equals the rows of paging", count == len(rows), (count, len(rows)))
    check.that("ids are unique", len({row.id for row in rows}) == len(rows))
    families = {row.family for row in rows}
    check.that("four families", families == {"Switches and Hubs", "Routers", "Wireless Controller", "Unified AP"}, families)
    switches = call(center.devices.get_device_list, family="Switches and Hubs", role="ACCESS", reachabilityStatus="Reachable").response
    check.that("filters hold", switches and all(row.role == "ACCESS" and row.reachabilityStatus == "Reachable" for row in switches))
    device = switches[0]
    check.that("wildcards", call(center.devices.get_device_list, hostname=device.hostname[:6] + ".*").response)
    check.that("by id", call(center.devices.get_device_by_id, device.id).response.serialNumber == device.serialNumber)
    check.that("by serial", call(center.devices.get_device_by_serial_number, device.serialNumber.split(",")[0]).response.id == device.id)
    check.that("by address", call(center.devices.get_network_device_by_ip, device.managementIpAddress).response.id == device.id)
    check.that("range", len(call(center.devices.get_network_device_by_pagination_range, start_index=1, records_to_return=7).response) == 7)
    if hasattr(center.devices, "retrieve_network_devices"):
        check.that("newer inventory", len(call(center.devices.retrieve_network_devices, limit="3").response) == 3)

    ports = call(center.devices.get_interface_info_by_id, device.id).response
    port_count = call(center.devices.get_device_interface_count_by_id, device.id).response
    check.that("interfaces", ports and ports[0].portName and len(ports) == port_count, (len(ports), port_count))
    vlan_text = next(row for row in ports if row.portMode == "access").vlanId
    check.that("numbers as text", isinstance(vlan_text, str), vlan_text)

    # Sites and assurance.
    sites = call(center.site_design.get_sites, limit=500).response
    site_count = call(center.site_design.get_sites_count).response
    check.that("sites", any(site.type == "floor" for site in sites) and len(sites) == site_count["count"], site_count)
    check.that("older sites", call(center.sites.get_site, limit=5).response)
    building = next(site for site in sites if site.type == "building")
    check.that("membership", call(center.sites.get_membership, building.id)["device"])
    data = call(center.issues.get_the_details_of_issues_for_given_set_of_filters_know_your_network, limit=20)
    check.that("issues of the data API", data.page.count >= len(data.response) > 0, data)
    issues = call(center.issues.issues)
    check.that("issues", issues.totalCount == str(len(issues.response)), issues.totalCount)
    health = call(center.topology.get_overall_network_health)
    check.that("network health", 0 <= health.latestHealthScore <= 100, health.latestHealthScore)
    check.that("device health", call(center.devices.devices, limit=10).response)
    detail = call(center.devices.get_device_detail, identifier="uuid", search_by=device.id).response
    check.that("device detail", detail.nwDeviceId == device.id)
    topology = call(center.topology.get_physical_topology).response
    check.that("topology nodes are devices", len(topology.nodes) == count, len(topology.nodes))
    release = getattr(center.platform, "release_summary", None) or center.platform.cisco_catalyst_center_release_summary
    check.that("release", call(release).response.installedVersion)

    # Templates.
    programmer = center.configuration_templates
    projects = call(getattr(programmer, "gets_a_list_of_projects", None) or programmer.get_projects)
    check.that("projects", len(projects) >= 3, len(projects))
    templates = call(center.configuration_templates.gets_the_templates_available)
    check.that("templates", len(templates) >= 8, len(templates))
    template = next(row for row in templates if row.name == "access-vlan")
    body = call(center.configuration_templates.get_template_details, template.templateId)
    check.that("template parameters", {row.parameterName for row in body.templateParams} == {"vlan_id", "vlan_name"})
    # 3.1.3 defines get_template_versions twice; the later one, of another route, hides this one.
    if hasattr(programmer, "gets_all_the_versions_of_a_given_template"):
        versions = call(programmer.gets_all_the_versions_of_a_given_template, template.templateId)
    else:
        versions = [template]
    check.that("versions", len(versions[0].versionsInfo) >= 2)
    vlan = 3000 + int(time.time()) % 900
    params = {"vlan_id": vlan, "vlan_name": f"SDK{vlan}"}
    preview = call(center.configuration_templates.preview_template, templateId=template.templateId, deviceId=device.id, params=params)
    check.that("preview", f"vlan {vlan}" in preview.cliPreview, preview.cliPreview)
    missing = call(center.configuration_templates.preview_template, templateId=template.templateId, deviceId=device.id, params={})
    check.that("preview names missing parameters", missing.validationErrors, missing)

    # Deploy, follow the task, read the deployment, compare the running configuration and compliance.
    before = call(center.devices.get_device_config_by_id, device.id).response
    check.that("vlan not there before", f"\nvlan {vlan}\n" not in before)
    version_id = max(versions[0].versionsInfo, key=lambda row: int(row.version)).id
    deploy = getattr(center.configuration_templates, "deploy_template_v2", None) or center.configuration_templates.deploy_template
    accepted = call(
        deploy,
        templateId=template.templateId,
        forcePushTemplate=True,
        targetInfo=[{"id": device.id, "type": "MANAGED_DEVICE_UUID", "versionedTemplateId": version_id, "params": params}],
    ).response
    task, deadline = None, time.monotonic() + 20
    while time.monotonic() < deadline:
        task = call(center.task.get_task_by_id, accepted.taskId).response
        if task.get("endTime") or task.isError:
            break
        time.sleep(0.1)
    check.that("task ended well", task.get("endTime") and not task.isError, task)
    deployment = re.search(r"Template Deployemnt Id: ([0-9a-f-]{36})", task.progress)
    check.that("deployment id in progress", deployment, task.progress)
    status = call(center.configuration_templates.get_template_deployment_status, deployment.group(1))
    check.that("deployment succeeded", status.status == "SUCCESS" and status.devices[0].deviceId == device.id, status)
    check.that("newer task", call(center.task.get_tasks_by_id, accepted.taskId).response.status == "SUCCESS")
    check.that("task detail", "Deployemnt" in call(center.task.get_task_details_by_id, accepted.taskId).response.progress)
    after = call(center.devices.get_device_config_by_id, device.id).response
    check.that("configuration changed", f"\nvlan {vlan}\n name SDK{vlan}\n" in after)
    check.that("nothing else is lost", not set(before.splitlines()[6:]) - set(after.splitlines()))
    row = call(center.compliance.device_compliance_status, device.id).response
    check.that("compliance flipped", row.complianceStatus == "NON_COMPLIANT", row)
    wide = call(center.compliance.compliance_details_of_device, device.id, compliance_type="RUNNING_CONFIG", diff_list=True)
    check.that("compliance detail", wide.response[0].sourceInfoList[0].diffList, wide)

    # Command runner reads the device itself; saving makes it compliant again.
    run = call(
        getattr(center.command_runner, "run_read_only_commands_on_devices", None)
        or center.command_runner.run_read_only_commands_on_devices_to_get_their_real_time_configuration,
        name="check",
        commands=["show running-config | include vlan"],
        deviceUuids=[device.id],
    ).response
    progress = wait(center, call, run.taskId).progress
    file_id = json.loads(progress)["fileId"]
    reader = getattr(center.file, "download_a_file_by_fileid", None) or center.file.download_a_file_by_file_id
    with tempfile.TemporaryDirectory() as folder:
        call(reader, file_id, dirpath=folder, save_file=True, filename="answers.json")
        content = json.loads(pathlib.Path(folder, "answers.json").read_text())
    check.that("command runner", f"vlan {vlan}" in json.dumps(content), content)
    save = getattr(center.compliance, "commit_device_configuration", None)
    if save is not None:
        wait(center, call, call(save, deviceId=[device.id]).response.taskId)
        row = call(center.compliance.device_compliance_status, device.id).response
        check.that("saving makes it compliant", row.complianceStatus == "COMPLIANT", row)

    # Errors come as the SDK's exceptions, with the controller's status.
    for name, refused, expected in [
        ("unknown device is 404", lambda: center.devices.get_device_by_id("00000000-0000-4000-8000-000000000000"), 404),
        ("limit 501 is 400", lambda: center.devices.get_device_list(limit=501), 400),
    ]:
        try:
            call(refused)
            check.that(name, False, "no error")
        except Exception as error:  # the SDK has its own classes per version
            check.that(name, getattr(error, "status_code", None) == expected, error)

    print(json.dumps({"sdk": sdk, "calls": calls, "passed": len(check.passed), "failed": check.failed, "device": device.hostname, "vlan": vlan}))
    word = "FAILED" if check.failed else "ok"
    print(f"test result: {word}. {len(check.passed)} passed; {len(check.failed)} failed")
    return 1 if check.failed else 0


def wait(center, call, task_id):
    """The ended task."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        task = call(center.task.get_task_by_id, task_id).response
        if task.get("endTime") or task.isError:
            return task
        time.sleep(0.1)
    raise TimeoutError(task_id)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(main(*sys.argv[1:]))
    except Exception:
        traceback.print_exc()
        sys.exit(2)
