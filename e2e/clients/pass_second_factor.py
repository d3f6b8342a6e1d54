"""Plays the browser of a person: follows the link of a refusal (the page, the issuer's sign-in, the code, the way back), or
signs in where a program sent them.

    python3 pass_second_factor.py URL [--user alice]

It can stand in `BROWSER`, where a program looks for a person's browser. Reads INTERLOCK_READY (name and password) and asks `$INTERLOCK_BIN lab otp` for the code, as a person asks a telephone.
Only the standard library, so that every driver can use it. Exit code 0 = the platform says that it is confirmed.
"""

import argparse
import html.parser
import http.cookiejar
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# A code is good once; the next one comes within 30 seconds.
LONGEST_WAIT_S = 70


class Page(html.parser.HTMLParser):
    """What a person can do on a page: links, and the one form with its fields and buttons."""

    def __init__(self, url, status, text):
        super().__init__()
        self.url, self.status, self.text = url, status, text
        self.links, self.action, self.fields, self.buttons, self.alert = [], None, {}, [], ""
        self._in_alert = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a" and attributes.get("href"):
            self.links.append(urllib.parse.urljoin(self.url, attributes["href"]))
        elif tag == "form" and self.action is None:
            self.action = urllib.parse.urljoin(self.url, attributes.get("action") or self.url)
        elif tag == "input" and attributes.get("name"):
            self.fields[attributes["name"]] = attributes.get("value") or ""
        elif tag == "button" and attributes.get("name"):
            self.buttons.append((attributes["name"], attributes.get("value")))
        self._in_alert = attributes.get("role") == "alert"

    def handle_data(self, data):
        if self._in_alert:
            self.alert += data


class Browser:
    """Cookies and redirects."""

    def __init__(self, *more):
        # Never through a proxy of the environment: the lab is on this machine.
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), *more
        )

    def open(self, url, form=None):
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        try:
            with self.opener.open(url, data, timeout=30) as answer:
                return Page(answer.url, answer.status, answer.read().decode())
        except urllib.error.HTTPError as answer:
            with answer:
                return Page(answer.url, answer.code, answer.read().decode(errors="replace"))


def code_for(user):
    """The code that the person's telephone shows now."""
    command = [os.environ["INTERLOCK_BIN"], "lab", "otp", "--state", os.environ["INTERLOCK_STATE"], "--user", user, "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return str(said.get("otp") or said["code"])


def pass_second_factor(url, user="alice"):
    """Goes from the link to the page that confirms; raises with what the last page said."""
    browser = Browser()
    page = browser.open(url)
    start = next((link for link in page.links if link.startswith(url.split("?")[0]) and link.endswith("/start")), None)
    if page.status != 200 or start is None:
        raise RuntimeError(f"{url} answers {page.status} without a way on: {page.text[:400]}")
    page = through_the_pages(browser, browser.open(start), user)
    if page.status != 200 or "/signin/callback" not in page.url:
        raise RuntimeError(f"the way ended at {page.url} with {page.status}: {page.text[:400]}")
    return page.text


def sign_in(url, user="alice"):
    """Signs in at an issuer's page and goes back to the program that sent the person."""
    browser = Browser()
    page = through_the_pages(browser, browser.open(url), user)
    if page.status != 200 or "/callback" not in page.url:
        raise RuntimeError(f"the way ended at {page.url} with {page.status}: {page.text[:400]}")
    return page.text


def through_the_pages(browser, page, user):
    """Fills the issuer's forms in until one page has none."""
    with open(os.environ["INTERLOCK_READY"], encoding="utf-8") as ready:
        people = {person["name"]: person for person in json.load(ready)["users"]}
    used, until = set(), time.monotonic() + LONGEST_WAIT_S
    while page.action is not None:
        form = dict(page.fields)
        if "otp" in form:
            form["otp"] = code_for(user)
            while form["otp"] in used and time.monotonic() < until:
                time.sleep(1)
                form["otp"] = code_for(user)
            used.add(form["otp"])
        else:
            if page.alert:
                raise RuntimeError(f"the issuer said: {page.alert.strip()}")
            if ("action", "approve") in page.buttons:
                # The issuer asks whether a client that registered itself may act for the person.
                form["action"] = "approve"
            else:
                form |= {"username": user, "password": people[user]["password"]}
        if time.monotonic() > until:
            raise RuntimeError(f"no way through within {LONGEST_WAIT_S} s; the page said: {page.alert.strip()}")
        page = browser.open(page.action, form)
    return page


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("url")
    arguments.add_argument("--user", default="alice")
    given = arguments.parse_args()
    try:
        (sign_in if "response_type=" in given.url else pass_second_factor)(given.url, given.user)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
