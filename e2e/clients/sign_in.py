"""Plays the browser of a person whom a client sends to the issuer: sign in, and come back to the client's redirect URI.

    python3 sign_in.py AUTHORIZATION_URL [--user alice]

Prints the URL that the issuer sends the browser back to, with its `code`, without opening it: handing that on is the
client's business. Next: `pass_second_factor.py` for the browser and for the link of a refusal.
"""

import argparse
import sys
import urllib.parse
import urllib.request

from pass_second_factor import Browser, through_the_pages


class CameBack(Exception):
    """The browser is on its way to the client."""

    def __init__(self, url):
        super().__init__(url)
        self.url = url


class UntilTheClient(urllib.request.HTTPRedirectHandler):
    """Follows redirects as far as the client's own URI."""

    def __init__(self, redirect_uri):
        self.redirect_uri = redirect_uri

    def redirect_request(self, request, file, code, message, headers, url):
        if url.split("?")[0] == self.redirect_uri:
            raise CameBack(url)
        return super().redirect_request(request, file, code, message, headers, url)


def sign_in(url, user="alice"):
    """From the authorization URL to the redirect; raises with what the last page said."""
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    browser = Browser(UntilTheClient(asked["redirect_uri"][0]))
    try:
        page = through_the_pages(browser, browser.open(url), user)
    except CameBack as back:
        return back.url
    raise RuntimeError(f"the issuer did not send the browser back; {page.status} at {page.url}: {page.text[:400]}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("url")
    arguments.add_argument("--user", default="alice")
    given = arguments.parse_args()
    try:
        print(sign_in(given.url, given.user))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
