"""Python `mcp` 2.x: negotiates by itself, speaks 2026-07-28 without a session."""

import contextlib

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from mcp_oauth import provider, renewal
from story import Reply, run


class Session:
    def __init__(self, client):
        self.client = client

    async def tools(self):
        return [tool.name for tool in (await self.client.list_tools()).tools]

    async def call(self, name, arguments):
        result = await self.client.call_tool(name, arguments)
        return Reply(result.is_error, result.structured_content, result.content[0].text)


@contextlib.asynccontextmanager
async def connect(url, person):
    async with create_mcp_http_client(auth=provider(url, person)) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            yield Session(client)


run(connect, more=renewal(connect))
