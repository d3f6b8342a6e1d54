"""MCP Inspector's command line: one process per step, as a person at a terminal uses it. The first one signs in by itself
and the others find its token.

    inspector.py [--protocol-era legacy|modern|auto]

It exits with 5 when a tool answers with an error, and still prints the result.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile

from story import Reply, run

# Inspector's own meaning of a tool that answered with `isError`.
TOOL_ERROR = 5
REDIRECT = "http://127.0.0.1:53682/callback"
# What the lab knows without registration.
LAB_CLIENT = "interlock-lab"
# How it asks its person to open a page.
ASKS = "Please navigate to: "


class Session:
    def __init__(self, url, person, folder):
        self.person = person
        self.base = ["mcp-inspector", "--cli", url, "--transport", "http", "--callback-url", REDIRECT]
        if not person.lab.registers:
            self.base += ["--client-id", LAB_CLIENT]
        self.base += sys.argv[1:]
        # Its files are this person's own, and it may ask although nobody sits at a terminal.
        self.environment = os.environ | {
            "HOME": folder,
            "MCP_STORAGE_DIR": folder,
            "MCP_INSPECTOR_SECRET_STORE": "file",
            "MCP_AUTO_OPEN_ENABLED": "true",
            "NO_COLOR": "1",
        }

    async def said(self, stream):
        """Reads what it says to its person, who does as asked."""
        lines, browsing = [], None
        async for line in stream:
            text = line.decode()
            lines.append(text)
            if text.startswith(ASKS):
                browsing = asyncio.create_task(self.person.goes_and_comes_back(text.removeprefix(ASKS).strip()))
        if browsing:
            await browsing
        return "".join(lines)

    async def inspect(self, *more, accepted=(0,)):
        process = await asyncio.create_subprocess_exec(
            *self.base,
            *more,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await asyncio.gather(process.stdout.read(), self.said(process.stderr))
        await process.wait()
        if process.returncode not in accepted:
            raise RuntimeError(f"Inspector ended with {process.returncode}: {said[-2000:]}{out.decode()[-2000:]}")
        answer = json.loads(out)
        return answer.get("result", answer)

    async def tools(self):
        return [tool["name"] for tool in (await self.inspect("--method", "tools/list"))["tools"]]

    async def call(self, name, arguments):
        pairs = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in arguments.items()]
        given = ["--tool-arg", *pairs] if pairs else []
        result = await self.inspect("--method", "tools/call", "--tool-name", name, *given, accepted=(0, TOOL_ERROR))
        return Reply(result.get("isError", False), result.get("structuredContent"), result["content"][0]["text"])


@contextlib.asynccontextmanager
async def connect(url, person):
    with tempfile.TemporaryDirectory() as folder:
        yield Session(url, person, folder)


run(connect)
