"""MCP Inspector's command line: one process per step, as a person at a terminal uses it.

    inspector.py [--protocol-era legacy|modern|auto]

It exits with 5 when a tool answers with an error, and still prints the result.
"""

import asyncio
import contextlib
import json
import sys

from story import Reply, run

# Inspector's own meaning of a tool that answered with `isError`.
TOOL_ERROR = 5


class Session:
    def __init__(self, url, token):
        self.base = ["mcp-inspector", "--cli", url, "--transport", "http", "--header", f"Authorization: Bearer {token}"]
        self.base += sys.argv[1:]

    async def inspect(self, *more, accepted=(0,)):
        process = await asyncio.create_subprocess_exec(
            *self.base, *more, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, said = await process.communicate()
        if process.returncode not in accepted:
            raise RuntimeError(f"Inspector ended with {process.returncode}: {said.decode()[-2000:]}{out.decode()[-2000:]}")
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
async def connect(url, token):
    yield Session(url, token)


run(connect)
