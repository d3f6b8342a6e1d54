"""Reads and writes with ServiceNow's own client against the simulated instance.

    python read_and_write.py BASE_URL USER PASSWORD

Prints one JSON summary and the tally; exit code 0 = every check held, 1 = a check failed, 2 = the client or the simulator raised.
The client refuses plain HTTP, for good reason; the lab is loopback, so the one function that refuses is replaced.
"""

import functools
import importlib.metadata
import inspect
import json
import sys
import traceback
import uuid

import pysnc.client
from pysnc import GlideRecord, ServiceNowClient
from pysnc.attachment import Attachment
from pysnc.auth import ServiceNowClientCredentialsFlow
from pysnc.exceptions import AuthenticationException, NotFoundException, RoleException
from pysnc.record import GlideElement

pysnc.client.get_instance = lambda instance: instance.rstrip("/")

# Fewer different methods than this would leave whole areas of the client out.
LEAST_METHODS = 30

calls, methods = 0, set()


def watch(kind):
    """Notes which of the client's public methods are called."""
    for name, function in inspect.getmembers(kind, inspect.isfunction):
        if name.startswith("_"):
            continue

        def noted(*args, _name=f"{kind.__name__}.{name}", _function=function, **kwargs):
            methods.add(_name)
            return _function(*args, **kwargs)

        setattr(kind, name, functools.wraps(function)(noted))


for watched in (ServiceNowClient, GlideRecord, GlideElement, Attachment):
    watch(watched)


class Checks:
    """Named checks; each is printed, failed ones decide the exit code."""

    def __init__(self):
        self.passed, self.failed = [], []

    def that(self, name, holds, seen=None):
        (self.passed if holds else self.failed).append(name if holds else {"check": name, "seen": repr(seen)[:300]})


def count(client):
    """Counts what the client sends, batches as one."""

    def counted(response, *_args, **_kwargs):
        global calls
        calls += 1
        return response

    client.session.hooks["response"].append(counted)
    return client


def refused(kind, act):
    """Whether an act raises what it should."""
    try:
        act()
    except kind:
        return True
    return False


def reads(client, check):
    # Paging: the count is the number of rows of the pages, and ids come once.
    everybody = client.GlideRecord("sys_user", batch_size=20)
    everybody.query()
    ids = [str(row.sys_id) for row in everybody]
    check.that("pages give every row once", len(ids) == len(set(ids)) == everybody.get_row_count() > 40, len(ids))
    check.that("ids are 32 hexadecimal digits", all(len(i) == 32 and int(i, 16) >= 0 for i in ids))

    alice = client.GlideRecord("sys_user")
    check.that("by another field", alice.get("user_name", "alice") and str(alice.name) == "Alice Adler", alice.name)
    check.that("dot-walk over values", client_value(client, "sys_user", "user_name=alice", "manager.user_name") == "nora")
    check.that("absent is false", client.GlideRecord("incident").get("0" * 32) is False)

    incidents = client.GlideRecord("incident")
    incidents.add_active_query()
    incidents.add_query("priority", "IN", "1,2,3")
    # A row that access rules hide makes a page short, and then the client reads past its own limit.
    incidents.add_query("u_confidential", "!=", "true")
    either = incidents.add_query("category", "network")
    either.add_or_condition("category", "hardware")
    incidents.order_by_desc("number")
    incidents.limit = 15
    incidents.query()
    numbers = [str(row.number) for row in incidents]
    check.that("conditions, order and limit", 0 < len(numbers) <= 15 and numbers == sorted(numbers, reverse=True), numbers)
    incidents.rewind()
    incidents.next()
    check.that("values and what people see", str(incidents.active) == "true" and incidents.get_display_value("priority")[0].isdigit())
    check.that("choices have labels", " - " in incidents.get_display_value("priority"), incidents.get_display_value("priority"))
    check.that("a reference has a name", incidents.get_display_value("caller_id") and len(incidents.get_value("caller_id")) == 32)
    seen = incidents.get_element("opened_at")
    check.that("dates are dates", seen.date_value().year > 2000, seen)
    check.that("numbers are numbers", int(incidents.impact) in (1, 2, 3))
    check.that("serialized", set(incidents.serialize(fields=["number", "state"])) == {"number", "state"})

    walked = client.GlideRecord("incident")
    walked.fields = ["number", "caller_id.user_name", "assignment_group.manager.name", "cmdb_ci.serial_number"]
    walked.add_query("assignment_group.name", "Network")
    walked.add_not_null_query("cmdb_ci")
    walked.limit = 5
    walked.query()
    rows = walked.serialize_all()
    check.that("dot-walk over paths", rows and all(row["assignment_group.manager.name"] == "Nora Nilsson" for row in rows), rows)
    check.that("serials of items", all(len(row["cmdb_ci.serial_number"]) == 11 for row in rows), rows)

    nobody = client.GlideRecord("incident")
    nobody.add_null_query("assigned_to")
    nobody.limit = 3
    nobody.query()
    check.that("empty fields", nobody.has_next() and all(row.assigned_to.nil() for row in nobody))

    planned = client.GlideRecord("change_request")
    planned.add_join_query("task_ci", "sys_id", "task").add_query("ci_item.name", "STARTSWITH", "sjc01")
    planned.query()
    expected = client.GlideRecord("task_ci")
    expected.add_query("ci_item.name", "STARTSWITH", "sjc01")
    expected.add_query("task.sys_class_name", "change_request")
    expected.query()
    check.that("join", planned.get_row_count() == len({str(row.task) for row in expected}) > 0, planned.get_row_count())

    with_items = client.GlideRecord("change_request")
    with_items.add_rl_query("task_ci", "task", ">=1", True)
    with_items.query()
    all_changes = client.GlideRecord("change_request")
    all_changes.query()
    check.that("related list", 0 < with_items.get_row_count() <= all_changes.get_row_count(), with_items.get_row_count())

    encoded = client.GlideRecord("task")
    encoded.add_encoded_query("sys_class_name=incident^NQsys_class_name=change_request")
    encoded.query()
    kinds = {str(row.sys_class_name) for row in encoded}
    check.that("a union over a parent table", kinds == {"incident", "change_request"}, kinds)

    recent = client.GlideRecord("incident")
    recent.add_encoded_query("sys_created_on>=javascript:gs.daysAgoStart(30)^caller_id.active=true")
    recent.query()
    check.that("times relative to now", 0 < recent.get_row_count(), recent.get_row_count())

    # Longer than a URL may be: the client goes over to a batch by itself.
    many = client.GlideRecord("sys_user")
    many.add_query("sys_id", "IN", ",".join(ids + [uuid.uuid4().hex for _ in range(320)]))
    many.query()
    check.that("a long query by batch", many.get_row_count() == len(ids), many.get_row_count())

    switches = client.GlideRecord("cmdb_ci_ip_switch", batch_size=50)
    switches.add_query("install_status", "1")
    switches.fields = "name,serial_number,model_id,location"
    switches.query()
    models = {row.get_display_value("model_id") for row in switches}
    check.that("items of a class", any("9300" in model for model in models), models)

    check.that("a field may be described", client_value(client, "sys_dictionary", "name=task^element=assigned_to", "reference") == "sys_user")
    check.that("a secret table", refused(RoleException, lambda: query(client, "sys_properties")))


def client_value(client, table, encoded, field):
    """One value of one row."""
    row = client.GlideRecord(table)
    row.add_encoded_query(encoded)
    row.fields = [field]
    row.query()
    return row.get_value(field) if row.next() else None


def query(client, table):
    row = client.GlideRecord(table)
    row.query()
    return row


def writes(client, check):
    mark = f"pysnc {uuid.uuid4()}"
    new = client.GlideRecord("incident")
    new.initialize()
    new.short_description = mark
    new.impact = 1
    new.urgency = 2
    new.caller_id = client_value(client, "sys_user", "user_name=alice", "sys_id")
    sys_id = new.insert()
    check.that("insert", sys_id and str(new.number).startswith("INC") and str(new.state) == "1", new.number)
    check.that("calculated at the instance", str(new.priority) == "2", new.priority)

    new.work_notes = "Written by a client"
    new.urgency = 1
    new.update()
    check.that("update", str(new.priority) == "1" and str(new.sys_mod_count) == "1", new.sys_mod_count)
    notes = client.GlideRecord("sys_journal_field")
    notes.add_query("element_id", str(sys_id))
    notes.query()
    check.that("notes go to the journal", notes.next() and str(notes.value) == "Written by a client", len(notes))

    def resolve():
        new.state = 6
        new.update()

    check.that("a data policy", refused(RoleException, resolve))
    check.that("read again", new.get(str(sys_id)) and str(new.state) == "1", new.state)
    new.state = 6
    new.close_code = "Solution provided"
    new.close_notes = "Done"
    check.that("resolved", new.update() and str(new.incident_state) == "6")

    new.add_attachment("plan.txt", b"vlan 12\n name voice\n", content_type="text/plain")
    files = new.get_attachments()
    check.that("attached", files.next() and files.file_name == "plan.txt" and files.size_bytes == "20", len(files))
    check.that("its bytes", files.read() == b"vlan 12\n name voice\n")
    check.that("its lines", files.readlines()[0] == "vlan 12")
    with files.as_temp_file() as kept:
        check.that("as a file", kept.read() == b"vlan 12\n name voice\n")
    files.delete()
    check.that("detached", len(new.get_attachments()) == 0)

    for number in range(3):
        row = client.GlideRecord("problem")
        row.initialize()
        row.short_description = f"{mark} {number}"
        check.that(f"problem {number}", row.insert() and str(row.number).startswith("PRB"))
    several = client.GlideRecord("problem")
    several.add_query("short_description", "STARTSWITH", mark)
    several.query()
    for row in several:
        row.description = "changed together"
    check.that("updated by batch", several.update_multiple())
    again = client.GlideRecord("problem")
    again.add_query("short_description", "STARTSWITH", mark)
    again.query()
    check.that("all of them", [str(row.description) for row in again] == ["changed together"] * 3, len(again))
    check.that("deleted by batch", again.delete_multiple())
    gone = client.GlideRecord("problem")
    gone.add_query("short_description", "STARTSWITH", mark)
    gone.query()
    check.that("none is left", gone.get_row_count() == 0, gone.get_row_count())
    check.that("deleted", new.delete() and not client.GlideRecord("incident").get(str(sys_id)))

    change = client.GlideRecord("change_request")
    change.initialize()
    change.short_description = mark
    change.type = "normal"
    change.assignment_group = client_value(client, "sys_user_group", "name=Network", "sys_id")
    change.insert()
    for state in (-4, -3):
        change.state = state
        change.update()
    approvals = client.GlideRecord("sysapproval_approver")
    approvals.add_query("sysapproval", str(change.sys_id))
    approvals.query()
    asked = {row.get_display_value("approver") for row in approvals}
    check.that("the board is asked", {"Ada Admin", "Bob Brandt"} <= asked, asked)

    def approve():
        approvals.rewind()
        approvals.next()
        approvals.state = "approved"
        approvals.update()

    check.that("nobody else approves", refused(RoleException, approve))
    change.state = 4
    change.update()
    check.that("cancelled", change.get_display_value("state") == "Canceled" and str(change.active) == "false")


def doors(url, user, password, check):
    flow = ServiceNowClientCredentialsFlow(user, password)
    token = count(ServiceNowClient(url, flow))
    check.that("client credentials", token.GlideRecord("incident").get("number", "INC0010001"))
    wrong = count(ServiceNowClient(url, (user, password + "x")))
    check.that("a wrong password", refused(AuthenticationException, lambda: query(wrong, "incident")))
    check.that("no such attachment", refused(NotFoundException, lambda: token.attachment_api.get_file("0" * 32)))


def main(url, user, password):
    check = Checks()
    client = count(ServiceNowClient(url, (user, password)))
    reads(client, check)
    writes(client, check)
    doors(url, user, password, check)
    check.that("enough of the client is used", len(methods) >= LEAST_METHODS, sorted(methods))
    summary = {"sdk": f"pysnc {importlib.metadata.version('pysnc')}", "calls": calls, "methods": len(methods)}
    print(json.dumps(summary | {"passed": len(check.passed), "failed": check.failed}))
    word = "FAILED" if check.failed else "ok"
    print(f"test result: {word}. {len(check.passed)} passed; {len(check.failed)} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(main(*sys.argv[1:]))
    except Exception:
        traceback.print_exc()
        sys.exit(2)
