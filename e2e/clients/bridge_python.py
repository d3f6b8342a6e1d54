"""The bridge under Python `mcp` 1.x over standard input and output: an older client that has no token and no network. The
bridge signs in by the person's browser, which `pass_second_factor.py` plays."""

import contextlib
import os
import sys
import time

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from story import SERVER, Lab, Reply, run

HERE = os.path.dirname(os.path.abspath(__file__))


class Session:
    def __init__(self, session):
        self.session = session

    async def tools(self):
        return [tool.name for tool in (await self.session.list_tools()).tools]

    async def call(self, name, arguments, progress=None):
        result = await self.session.call_tool(name, arguments, progress_callback=progress)
        return Reply(result.isError, result.structuredContent, result.content[0].text)


@contextlib.asynccontextmanager
async def bridge(user, *options):
    """A session over a bridge of this person's own, as a client's configuration starts one."""
    lab = Lab()
    # Each person has a home of their own; the browser is a script.
    home = os.path.join(os.environ["INTERLOCK_STATE"], f"home-of-{user}")
    browser = f"{sys.executable} {os.path.join(HERE, 'pass_second_factor.py')} --user {user} %s"
    environment = {**os.environ, "XDG_STATE_HOME": home, "BROWSER": browser}
    arguments = ["mcp", "bridge", SERVER, "--url", lab.ready["url"], "--store", "file", *options]
    program = StdioServerParameters(command=os.environ["INTERLOCK_BIN"], args=arguments, env=environment)
    async with stdio_client(program) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield Session(session)


@contextlib.asynccontextmanager
async def connect(_url, person):
    async with bridge(person.name, "--step-up", "pass") as session:
        yield session


async def more(_lab, check):
    """What only the bridge does."""
    vlan = 3000 + int(time.time()) % 900
    async with bridge("bob", "--step-up", "browser") as bob:
        templates = await bob.call("get_all_templates", {})
        template = next(row["template_id"] for row in templates.structured["templates"] if row["name"] == "access-vlan")
        devices = await bob.call("list_devices", {"family": "Switches and Hubs", "role": "ACCESS", "reachability": "Reachable", "limit": 5})
        device = next(row["id"] for row in devices.structured["items"] if row["software_type"] == "IOS-XE")
        heard = []

        async def progress(done, _total, message):
            heard.append((done, message))

        deployment = {"template_id": template, "device_id": device, "params": {"vlan_id": vlan, "vlan_name": "BRIDGE"}}
        done = await bob.call("deploy_template", deployment, progress)
        status = (done.structured or {}).get("status")
        check.that("t4_the_bridge_does_the_step_up_and_the_call_succeeds", not done.is_error and status in ("success", "in_progress"), done)
        check.that("the_wait_was_told", any("second factor" in (message or "") for _, message in heard), heard)
    async with bridge("bob", "--no-browser", "--step-up", "pass") as bob:
        check.that("a_second_bridge_uses_the_kept_sign_in", "list_devices" in await bob.tools())
    tokens = os.path.join(os.environ["INTERLOCK_STATE"], "home-of-bob", "interlock")
    modes = {name: os.stat(os.path.join(tokens, name)).st_mode & 0o777 for name in os.listdir(tokens)}
    check.that("t28_what_is_kept_is_private", all(mode == 0o600 for mode in modes.values()) and os.stat(tokens).st_mode & 0o777 == 0o700, modes)


# It is the bridge that signs in, at the person's browser of the machine.
run(connect, signs_in=False, more=more)
