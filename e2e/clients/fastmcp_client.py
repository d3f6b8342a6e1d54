"""`fastmcp`'s client, with its own OAuth: it opens a browser and listens for the code itself."""

import asyncio
import contextlib

from fastmcp import Client
from fastmcp.client.auth import OAuth

from mcp_oauth import LAB_CLIENT
from story import Reply, run


class WithOurBrowser(OAuth):
    """Sends a person's browser instead of the machine's."""

    def __init__(self, person, **options):
        super().__init__(**options)
        self.person = person
        self.browsing = None

    async def redirect_handler(self, authorization_url):
        # Beside the client, which begins to listen only after this.
        self.browsing = asyncio.create_task(self.person.goes_and_comes_back(authorization_url))


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
async def connect(url, person):
    known = {} if person.lab.registers else {"client_id": LAB_CLIENT}
    oauth = WithOurBrowser(person, mcp_url=url, callback_host="127.0.0.1", **known)
    async with Client(url, auth=oauth) as client:
        yield Session(client)


run(connect)
