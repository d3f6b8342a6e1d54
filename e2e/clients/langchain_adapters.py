"""`langchain-mcp-adapters`: `MultiServerMCPClient`, whose tools an agent gets. A refusal reaches the model as a tool message
of status `error` with the text alone, which is why the text says everything (T11)."""

import contextlib

from langchain_mcp_adapters.client import MultiServerMCPClient

from mcp_oauth import provider, renewal
from story import Reply, run


class Session:
    def __init__(self, tools):
        self.by_name = {tool.name: tool for tool in tools}

    async def tools(self):
        return list(self.by_name)

    async def call(self, name, arguments):
        message = await self.by_name[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
        content = message.content
        text = content if isinstance(content, str) else content[0]["text"]
        structured = message.artifact["structured_content"] if message.artifact else None
        return Reply(message.status == "error", structured, text)


@contextlib.asynccontextmanager
async def connect(url, person):
    auth = provider(url, person)
    client = MultiServerMCPClient({"interlock": {"transport": "streamable_http", "url": url, "auth": auth}})
    yield Session(await client.get_tools())


run(connect, more=renewal(connect))
