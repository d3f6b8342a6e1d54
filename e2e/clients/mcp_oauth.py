"""The OAuth client of Python's `mcp`, 1.x and 2.x, which `fastmcp` and `langchain-mcp-adapters` use too: it finds the issuer
from the endpoint's 401, registers itself where the issuer is open for that, and gets its code with PKCE."""

import urllib.parse

from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

from story import Person

try:
    from mcp.shared.auth import AuthorizationCodeResult
except ImportError:  # 1.x takes a pair
    AuthorizationCodeResult = None

# Nobody listens there: the browser hands the code over before it gets there.
REDIRECT = "http://127.0.0.1:53682/callback"
# What the lab knows without registration.
LAB_CLIENT = "interlock-lab"


class InMemory:
    """Tokens and registration of one client."""

    def __init__(self, client):
        self.client, self.tokens = client, None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


def provider(url, person):
    """Signs `person` in when the endpoint asks for it."""
    metadata = OAuthClientMetadata(
        client_name="Interlock's suite (Python)",
        redirect_uris=[REDIRECT],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )
    known = None
    if not person.lab.registers:
        known = OAuthClientInformationFull(
            client_id=LAB_CLIENT, redirect_uris=[REDIRECT], grant_types=["authorization_code"], token_endpoint_auth_method="none"
        )
    came_back = []

    async def open_browser(authorization_url):
        came_back.append(await person.signs_in(authorization_url))

    async def code():
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(came_back.pop()).query))
        if AuthorizationCodeResult is None:
            return query["code"], query.get("state")
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))

    person.provider = OAuthClientProvider(
        server_url=url, client_metadata=metadata, storage=InMemory(known), redirect_handler=open_browser, callback_handler=code
    )
    return person.provider


def renewal(connect):
    """What comes after the story: a client whose token has run out gets another one without its person."""

    async def more(lab, check):
        person = Person(lab, "alice")
        async with connect(lab.url, person) as alice:
            await alice.tools()
            context = person.provider.context
            before = context.current_tokens
            # Long ago: the library keeps its own account of when a token ends.
            context.token_expiry_time = 1.0
            reply = await alice.call("list_devices", {"limit": 1})
            after = context.current_tokens
        check.that(
            "it_renews_its_token_without_the_person",
            not reply.is_error
            and person.sign_ins == 1
            and after.access_token != before.access_token
            and after.refresh_token not in (None, before.refresh_token),
            (person.sign_ins, after.access_token != before.access_token, after.refresh_token != before.refresh_token),
        )

    return more
