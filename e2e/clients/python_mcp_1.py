"""Python `mcp` 1.x: opens with `initialize`, speaks 2025-11-25."""

import contextlib

from mcp import ClientSession
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

from mcp_oauth import provider, renewal
from story import Reply, run


class Session:
    def __init__(self, session):
        self.session = session

    async def tools(self):
        return [tool.name for tool in (await self.session.list_tools()).tools]

    async def call(self, name, arguments):
        result = await self.session.call_tool(name, arguments)
        return Reply(result.isError, result.structuredContent, result.content[0].text)


@contextlib.asynccontextmanager
async def connect(url, person):
    async with (
        create_mcp_http_client(auth=provider(url, person)) as http,
        streamable_http_client(url, http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield Session(session)


run(connect, more=renewal(connect))
