"""The story that every client has to be able to tell, whatever its library: see, be refused, pass, do, see again.

A driver gives `run` one function, `connect(url, person)`: an asynchronous context manager over an object with
`await tools()` (names) and `await call(name, arguments)` (a `Reply`). Where the library has an OAuth client of its own, the
driver lets it sign in and sends the person's browser where it wants (`person.signs_in`); else it hands over `person.token()`
and says `signs_in=False`. Next: `sign_in.py` and `pass_second_factor.py` for the browser's side.
"""

import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request

from pass_second_factor import pass_second_factor
from sign_in import sign_in

SERVER = "catalyst-center"
NAME = os.environ.get("INTERLOCK_CLIENT", "client")
# The lab is on this machine: no proxy of the environment stands between.
for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
    os.environ.pop(variable, None)


@dataclasses.dataclass
class Reply:
    """A tool's answer as the client's library hands it on. `None` = the library does not show it."""

    is_error: bool
    structured: dict | None
    text: str


class Lab:
    """The lab that this driver was given."""

    def __init__(self):
        with open(os.environ["INTERLOCK_READY"], encoding="utf-8") as ready:
            self.ready = json.load(ready)
        self.url = self.ready["mcp"][SERVER]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.ready["issuer"] + "/.well-known/openid-configuration", timeout=30) as answer:
            # Whether clients register themselves; else they use what the lab knows.
            self.registers = "registration_endpoint" in json.load(answer)


class Person:
    """Somebody of the lab, with a browser."""

    def __init__(self, lab, name):
        self.lab, self.name, self.sign_ins = lab, name, 0

    async def signs_in(self, authorization_url):
        """Follows a client to the issuer; where the issuer sends the browser back to."""
        self.sign_ins += 1
        return await asyncio.to_thread(sign_in, authorization_url, self.name)

    async def goes_and_comes_back(self, authorization_url):
        """The same for a client that listens for its code."""
        back = await self.signs_in(authorization_url)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        until = time.monotonic() + 30
        while True:
            try:
                with await asyncio.to_thread(opener.open, back, timeout=30):
                    return
            except urllib.error.URLError as error:
                # The client may not listen yet.
                if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > until:
                    raise
                await asyncio.sleep(0.1)

    def token(self):
        """An access token by the ordinary code flow, without a second factor, for a client that cannot get one."""
        command = [os.environ["INTERLOCK_BIN"], "lab", "token", "--state", os.environ["INTERLOCK_STATE"], "--user", self.name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Checks:
    """Counts in the form that the suite reads."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, name, holds, seen=None):
        """One promise. Prints it, and what was seen where it was broken."""
        if holds:
            self.passed += 1
            print(f"test {NAME}::{name} ... ok", flush=True)
        else:
            self.failed += 1
            print(f"test {NAME}::{name} ... FAILED\n  saw: {str(seen)[:1000]}", flush=True)
        return bool(holds)

    def end(self):
        """Prints the result; the exit code."""
        word = "FAILED" if self.failed else "ok"
        print(f"test result: {word}. {self.passed} passed; {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


async def play(connect, lab, check, signs_in):
    """The story. A step whose outcome later steps need raises when it is missing."""
    vlan = 2000 + int(time.time()) % 900
    line = f"vlan {vlan}"

    person = Person(lab, "alice")
    async with connect(lab.url, person) as alice:
        seen = set(await alice.tools())
        if signs_in:
            check.that("it_signs_in_by_itself", person.sign_ins == 1, person.sign_ins)
        check.that("an_engineer_sees_the_deployment", {"deploy_template", "get_all_templates", "list_devices"} <= seen, seen)

        templates = await alice.call("get_all_templates", {})
        rows = (templates.structured or {}).get("templates", [])
        check.that(
            "templates_come_in_the_articles_shape",
            not templates.is_error and templates.structured["status"] == "success" and templates.structured["count"] == len(rows) > 0,
            templates,
        )
        template = next(row["template_id"] for row in rows if row["name"] == "access-vlan")

        devices = await alice.call("list_devices", {"family": "Switches and Hubs", "role": "ACCESS", "reachability": "Reachable", "limit": 5})
        check.that("devices_come_as_a_page", not devices.is_error and 0 < len(devices.structured["items"]) <= 5, devices)
        device = next(row["id"] for row in devices.structured["items"] if row["software_type"] == "IOS-XE")

        before = await alice.call("get_device_config", {"device_id": device})
        check.that("the_line_is_not_there_yet", not before.is_error and f"\n{line}\n" not in before.structured["config"], before)

        wrong = await alice.call("get_device", {"device_id": 7})
        check.that(
            "invalid_arguments_are_an_answer_not_a_broken_call",
            wrong.is_error and code(wrong) == "invalid_arguments" and wrong.text.startswith("Refused (invalid_arguments)"),
            wrong,
        )

        deployment = {"template_id": template, "device_id": device, "params": {"vlan_id": vlan, "vlan_name": f"CLIENT{vlan}"}}
        refused = await alice.call("deploy_template", deployment)
        check.that("t11_a_deployment_is_refused_with_its_reason", refused.is_error and code(refused) == "step_up_required", refused)
        url = (refused.structured or {}).get("url") or link_in(refused.text)
        check.that(
            "t11_the_refusal_says_the_word_the_code_and_the_link_in_its_text",
            refused.text.startswith("Refused (step_up_required)") and url and url in refused.text,
            refused.text,
        )

        print(f"passing the second factor at {url}", flush=True)
        await asyncio.to_thread(pass_second_factor, url, "alice")
        done = await alice.call("deploy_template", deployment)
        status = (done.structured or {}).get("status")
        check.that("t4_the_very_same_call_succeeds_afterwards", not done.is_error and status in ("success", "in_progress"), done)
        until = time.monotonic() + 60
        while status == "in_progress" and time.monotonic() < until:
            follow = {"deployment_id": done.structured["deployment_id"], "wait_s": 20}
            status = (await alice.call("get_deployment", follow)).structured["status"]
        check.that("the_deployment_ends_well", status == "success", status)
        polled = await alice.call("get_deployment", {"deployment_id": done.structured["deployment_id"], "wait_s": 20})
        check.that("a_long_call_is_polled", not polled.is_error and polled.structured["status"] == "success", polled)

        after = await alice.call("get_device_config", {"device_id": device})
        check.that("the_line_is_on_the_device", not after.is_error and f"\n{line}\n" in after.structured["config"], after)

    async with connect(lab.url, Person(lab, "sam")) as sam:
        seen = set(await sam.tools())
        check.that("t10_the_service_desk_never_sees_the_deployment", "deploy_template" not in seen and "list_devices" in seen, seen)
        devices = await sam.call("list_devices", {"limit": 1})
        check.that("the_service_desk_reads", not devices.is_error and len(devices.structured["items"]) == 1, devices)


def code(reply):
    """The code of a refusal; from its text where the library hides the structured content."""
    if reply.structured:
        return reply.structured.get("code")
    return reply.text.partition("(")[2].partition(")")[0]


def link_in(text):
    """The link of a refusal's text."""
    return next((word.rstrip(";,.") for word in text.split() if word.startswith("http")), None)


def run(connect, signs_in=True, more=None):
    """Plays the story, and `more(lab, check)` after it, and exits."""
    check = Checks()

    async def all_of_it():
        lab = Lab()
        await play(connect, lab, check, signs_in)
        if more:
            await more(lab, check)

    try:
        asyncio.run(all_of_it())
    except BaseException:
        traceback.print_exc()
        check.that("the_story_comes_to_its_end", False, "the exception above")
    sys.exit(check.end())
