"""Everything that changes something: a project and a template of one's own, a deployment, an interface, saving, a discovery."""

import json
import pathlib
import re
import tempfile
import time


def write(center, check, device):
    template = check.area("templates", own_template, center, check)
    vlan = check.area("deployment", deployment, center, check, device)
    check.area("commands", commands, center, check, device, vlan)
    for run in (interface, saving, discovery, path):
        check.area(run.__name__, run, center, check, device)
    for run in (issues, work):
        check.area(run.__name__, run, center, check)
    check.area("clean", clean, center, check, template)
    return vlan


def own_template(center, check):
    """A template of our own with two versions, seen in both generations of lists."""
    name = f"sdk-{int(time.time() * 1000)}"
    made = center.ended(center("configuration_templates", "create_project", name=name, description="from the SDK"))
    project = made.data
    rows = center("configuration_templates", "get_projects gets_a_list_of_projects", name=name)
    check.equal("the project is there", [row.id for row in rows], [project])
    newer = center("configuration_templates", "get_projects_details", name=name).response
    check.equal("the newer list of projects", newer[0].id, project)
    body = {
        "name": name,
        "projectName": name,
        "language": "JINJA",
        "softwareType": "IOS-XE",
        "deviceTypes": [{"productFamily": "Switches and Hubs"}],
        "templateContent": "ip host {{ name }} 192.0.2.1\n",
        "templateParams": [{"parameterName": "name", "dataType": "STRING", "required": True, "order": 1}],
    }
    accepted = center("configuration_templates", "create_template", project, active_validation=False, **body)
    template = center.ended(accepted).data
    draft = center("configuration_templates", "get_template_details", template)
    check.equal("the draft", (draft.name, draft.templateContent), (name, body["templateContent"]))
    changed = dict(body, id=template, templateContent="ip host {{ name }} 192.0.2.2\n")
    center.ended(center("configuration_templates", "version_template", templateId=template, comments="one"))
    center.ended(center("configuration_templates", "update_template", active_validation=False, **changed))
    center.ended(
        center("configuration_templates", "commit_template_for_a_new_version", template, commitNote="two")
    )
    versions = center("configuration_templates", "get_template_versions", template).response
    check.equal("versions, newest first", [row.version for row in versions], [2, 1])
    count = center("configuration_templates", "get_template_versions_count", template).response
    check.equal("count of versions", count["count"], 2)
    one = center("configuration_templates", "get_template_version", template, versions[1].versionId).response
    check.equal("a version keeps its content", one.templateContent, body["templateContent"])
    listed = center("configuration_templates", "get_templates_details", name=name).response
    check.equal(
        "the newer list of templates",
        {row.id for row in listed[0].versionsInfo},
        {row.versionId for row in versions},
    )
    check.refused(
        "a second template of this name is 400",
        400,
        lambda: center("configuration_templates", "create_template", project, active_validation=False, **body),
    )
    return template, project


def deployment(center, check, device):
    """Deploys a seeded template and compares configuration, compliance, task and deployment."""
    templates = center("configuration_templates", "gets_the_templates_available")
    template = next(row for row in templates if row.name == "access-vlan")
    vlan = 3000 + int(time.time()) % 900
    params = {"vlan_id": vlan, "vlan_name": f"SDK{vlan}"}
    asked = {"templateId": template.templateId, "deviceId": device.id}
    preview = center("configuration_templates", "preview_template", params=params, **asked)
    check.that("preview", f"vlan {vlan}" in preview.cliPreview, preview.cliPreview)
    missing = center("configuration_templates", "preview_template", params={}, **asked)
    check.that("preview names missing parameters", missing.validationErrors, missing)
    before = center("devices", "get_device_config_by_id", device.id).response
    check.that("the VLAN is not there before", f"\nvlan {vlan}\n" not in before)
    version = max(template.versionsInfo, key=lambda row: int(row.version)).id
    target = {"id": device.id, "type": "MANAGED_DEVICE_UUID", "versionedTemplateId": version, "params": params}
    accepted = center(
        "configuration_templates",
        "deploy_template_v2",
        templateId=template.templateId,
        forcePushTemplate=True,
        targetInfo=[target],
    )
    task = center.ended(accepted)
    check.that("the task ended well", task.get("endTime") and not task.isError, task)
    found = re.search(r"Template Deployemnt Id: ([0-9a-f-]{36})", task.progress)
    check.that("the deployment's id is in the progress", found, task.progress)
    status = center("configuration_templates", "get_template_deployment_status", found.group(1))
    check.equal("the deployment", (status.status, status.devices[0].deviceId), ("SUCCESS", device.id))
    check.equal("the newer task", center("task", "get_tasks_by_id", accepted.response.taskId).response.status, "SUCCESS")
    detail = center("task", "get_task_details_by_id", accepted.response.taskId).response
    check.equal("its detail", detail.progress, task.progress)
    tree = center("task", "get_task_tree", accepted.response.taskId).response
    check.equal("its tree", [row.id for row in tree], [accepted.response.taskId])
    after = center("devices", "get_device_config_by_id", device.id).response
    check.that("the configuration changed", f"\nvlan {vlan}\n name SDK{vlan}\n" in after)
    check.that("nothing else is lost", not set(before.splitlines()[6:]) - set(after.splitlines()))
    row = center("compliance", "device_compliance_status", device.id).response
    check.equal("compliance flipped", row.complianceStatus, "NON_COMPLIANT")
    wide = center(
        "compliance", "compliance_details_of_device", device.id, compliance_type="RUNNING_CONFIG", diff_list=True
    )
    differences = [row.configuredValue for row in wide.response[0].sourceInfoList[0].diffList]
    check.that("compliance names the line", f"vlan {vlan} / name SDK{vlan}" in differences, differences)
    again = center(
        "configuration_templates", "deploy_template", templateId=template.templateId, targetInfo=[target]
    )
    check.that("the old deployment skips what is there", "already deployed" in again.deploymentId, again)
    return vlan


def commands(center, check, device, vlan):
    """The command runner reads the device itself."""
    accepted = center(
        "command_runner",
        "run_read_only_commands_on_devices run_read_only_commands_on_devices_to_get_their_real_time_configuration",
        name="check",
        commands=["show running-config | include vlan", "show vlan brief", "configure terminal"],
        deviceUuids=[device.id],
    )
    file_id = json.loads(center.ended(accepted).progress)["fileId"]
    with tempfile.TemporaryDirectory() as folder:
        center(
            "file",
            "download_a_file_by_fileid download_a_file_by_file_id",
            file_id,
            dirpath=folder,
            save_file=True,
            filename="answers.json",
        )
        answers = json.loads(pathlib.Path(folder, "answers.json").read_text())[0]["commandResponses"]
    check.that("the device itself has the VLAN", f"vlan {vlan}" in answers["SUCCESS"]["show running-config | include vlan"])
    check.that("so says its table", f"SDK{vlan}" in answers["SUCCESS"]["show vlan brief"])
    check.equal("what changes is blocked", list(answers["BLACKLISTED"]), ["configure terminal"])


def interface(center, check, device):
    rows = center("devices", "get_interface_info_by_id", device.id).response
    port = next(row for row in rows if row.portMode == "access" and row.adminStatus == "UP" and row.status == "down")
    accepted = center(
        "devices", "update_interface_details", port.id, deployment_mode="Deploy", description="SDK was here", vlanId=20
    )
    task = center.ended(accepted)
    check.that("the interface task ended well", not task.isError, task)
    seen = center("devices", "get_interface_by_id", port.id).response
    check.equal("the interface changed", (seen.description, seen.vlanId), ("SDK was here", "20"))
    config = center("devices", "get_device_config_by_id", device.id).response
    check.that("so did the configuration", f"interface {port.portName}\n description SDK was here\n" in config)


def saving(center, check, device):
    task = center.ended(center("compliance", "commit_device_configuration", deviceId=[device.id]))
    check.that("saving ended well", task.progress.endswith("copy_Running_To_Startup=Success"), task)
    row = center("compliance", "device_compliance_status", device.id).response
    check.equal("saving makes it compliant", row.complianceStatus, "COMPLIANT")
    accepted = center("compliance", "run_compliance", triggerFull=True, deviceUuids=[device.id])
    task = center.ended(accepted)
    check.that("a compliance run", "generated successfully" in task.progress, task)
    rows = center("compliance", "get_compliance_status", limit=500).response
    check.equal("compliance rows", center("compliance", "get_compliance_status_count").response, len(rows))
    details = center("compliance", "get_compliance_detail", device_uuid=device.id).response
    check.that("compliance per type", {row.complianceType for row in details} >= {"RUNNING_CONFIG", "PSIRT"})
    counted = center("compliance", "get_compliance_detail_count", compliance_type="PSIRT").response
    check.equal("one row a type and device", counted, len(rows))
    synced = center("devices", "sync_devices_using_forcesync", payload=[device.id], force_sync=True)
    check.that("a resync", not center.ended(synced).isError)


def issues(center, check):
    list_name = "get_the_details_of_issues_for_given_set_of_filters_know_your_network"
    before = center("issues", list_name, limit=500)
    first = before.response[0].issueId
    answer = center("issues", "ignore_the_given_list_of_issues", issueIds=[first, "unknown"]).response
    check.equal("ignored", (answer.successfulIssueIds, answer.failureIssueIds), ([first], ["unknown"]))
    after = center("issues", list_name, limit=500)
    check.equal("one issue fewer", after.page.count, before.page.count - 1)
    second = after.response[0].issueId
    center("issues", "resolve_the_given_lists_of_issues", issueIds=[second])
    seen = center("issues", list_name, status="RESOLVED", limit=500).response
    check.that("resolved", second in {row.issueId for row in seen})


def discovery(center, check, device):
    accepted = center(
        "discovery", "start_discovery", name="sdk", discoveryType="SINGLE", ipAddressList=device.managementIpAddress
    )
    number = center.ended(accepted).progress
    row = center("discovery", "get_discovery_by_id", number).response
    check.equal("a discovery", (row.discoveryCondition, row.numDevices), ("Complete", 1))
    found = center("discovery", "get_discovered_network_devices_by_discovery_id", number).response
    check.equal("what it found", [row.id for row in found], [device.id])
    count = center("discovery", "get_devices_discovered_by_id", number).response
    check.equal("how many it found", count, len(found))
    total = center("discovery", "get_count_of_all_discovery_jobs").response
    check.that("count of discoveries", total >= 1, total)


def path(center, check, device):
    """From one switch to a device of another campus, along cables that are there."""
    rows = center("devices", "get_device_list", role="CORE", reachabilityStatus="Reachable").response
    far = next(row for row in rows if row.hostname[:5] == device.hostname[:5])
    accepted = center(
        "path_trace",
        "initiate_a_new_pathtrace",
        sourceIP=device.managementIpAddress,
        destIP=far.managementIpAddress,
    ).response
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        trace = center("path_trace", "retrieves_previous_pathtrace", accepted.flowAnalysisId).response
        if trace.request.status != "INPROGRESS":
            break
        time.sleep(0.05)
    ends = [trace.networkElementsInfo[0].id, trace.networkElementsInfo[-1].id]
    check.equal("a path from end to end", (trace.request.status, ends), ("COMPLETED", [device.id, far.id]))
    summary = center("path_trace", "retrieves_all_previous_pathtraces_summary").response
    check.that("paths are listed", accepted.flowAnalysisId in {row.id for row in summary})


def work(center, check):
    tasks = center("task", "get_tasks", limit=500).response
    count = center("task", "get_tasks_count").response["count"]
    check.equal("tasks", count, len(tasks))
    good = center("task", "get_tasks", status="SUCCESS", limit=500).response
    check.that("tasks by status", good and all(row.status == "SUCCESS" for row in good))
    older = center("task", "get_tasks_operational_tasks get_tasks", limit=500).response
    check.equal("older tasks", center("task", "get_task_count").response, len(older))
    start = min(row.startTime for row in tasks)
    within = center("task", "get_tasks", start_time=start, limit=500).response
    check.equal("tasks since a time", len(within), len(tasks))
    audit = center("event_management", "get_audit_log_records get_auditlog_records", limit=5)
    check.equal("audit records", len(audit), 5)


def clean(center, check, made):
    template, project = made
    check.refused(
        "a project that holds a template is not deleted",
        400,
        lambda: center("configuration_templates", "deletes_the_project", project),
    )
    center.ended(center("configuration_templates", "deletes_the_template", template))
    center.ended(center("configuration_templates", "deletes_the_project", project))
    check.refused(
        "a deleted template is 404", 404, lambda: center("configuration_templates", "get_template_details", template)
    )
