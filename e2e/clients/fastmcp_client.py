"""`fastmcp`'s client."""

import contextlib

from fastmcp import Client

from story import Reply, run


class Session:
    def __init__(self, client):
        self.client = client

    async def tools(self):
        return [tool.name for tool in await self.client.list_tools()]

    async def call(self, name, arguments):
        # A refusal is something to read, so the library is asked not to make an exception of it.
        result = await self.client.call_tool(name, arguments, raise_on_error=False)
        return Reply(result.is_error, result.structured_content, result.content[0].text)


@contextlib.asynccontextmanager
async def connect(url, token):
    async with Client(url, auth=token) as client:
        yield Session(client)


run(connect)
