"""schemathesis over the REST door: every operation of the lab's own OpenAPI document, every check, every phase.

    schemathesis_rest.py [--max-examples N] [--seed N]

Nothing is excluded: neither an operation nor a check nor a phase, and no expected status is widened. The document itself is
first held against the OpenAPI 3.1 schema. The caller is an engineer with an ordinary token, so that writes are met with
what a person without a second factor gets. `docs/rest.md` has the line for a longer run.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request
import xml.etree.ElementTree

from openapi_spec_validator import OpenAPIV31SpecValidator

NAME = os.environ.get("INTERLOCK_CLIENT", "schemathesis")


def token(user):
    command = [os.environ["INTERLOCK_BIN"], "lab", "token", "--state", os.environ["INTERLOCK_STATE"], "--user", user]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def document(url, bearer):
    # Never through a proxy of the environment: the lab is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {bearer}"})
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def operations(described):
    return {
        f"{method.upper()} {path}"
        for path, item in described["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }


class Counts:
    """Counts in the form that the suite reads."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, name, holds, seen=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"test {NAME}::{name} ... {'ok' if holds else 'FAILED'}", flush=True)
        if not holds and seen:
            print(f"  saw: {str(seen)[:2000]}", flush=True)

    def end(self):
        word = "FAILED" if self.failed else "ok"
        print(f"test result: {word}. {self.passed} passed; {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def run(base, described, bearer, given, folder):
    """Runs schemathesis; its exit code and what it says of each operation (label → failure text, or nothing)."""
    report, document = folder / "junit.xml", folder / "openapi.json"
    # From a file: of a document that it fetches, it leaves the very operation out that served it.
    document.write_text(json.dumps(described), encoding="utf-8")
    command = [
        str(pathlib.Path(sys.executable).with_name("schemathesis")), "run", str(document), "--url", base,
        "--header", f"Authorization: Bearer {bearer}",
        "--checks", "all",
        "--phases", "examples,coverage,fuzzing,stateful",
        "--mode", "all",
        "--max-examples", str(given.max_examples),
        "--seed", str(given.seed),
        "--workers", "1",
        "--request-timeout", "30",
        "--generation-database", "none",
        "--warnings", "off",
        "--no-color",
        "--continue-on-failure",
        "--report", "junit",
        "--report-junit-path", str(report),
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k.lower() not in ("http_proxy", "https_proxy", "all_proxy")}
    # An empty folder: no configuration file of the machine has a say in what is run.
    code = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    met = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase") if report.exists() else ():
        broken = [part.get("message") or part.text or "failed" for part in case if part.tag in ("failure", "error")]
        met[case.get("name")] = "\n".join(broken)
    return code, met


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--max-examples", type=int, default=25)
    arguments.add_argument("--seed", type=int, default=20251125)
    given = arguments.parse_args()
    with open(os.environ["INTERLOCK_READY"], encoding="utf-8") as ready:
        base = json.load(ready)["url"]
    url, bearer, counts = f"{base}/api/v1/openapi.json", token("alice"), Counts()

    described = document(url, bearer)
    broken = [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()]
    counts.that("the_document_is_valid_openapi_3_1", not broken, broken)
    with tempfile.TemporaryDirectory() as folder:
        code, met = run(base, described, bearer, given, pathlib.Path(folder))
    for label in sorted(operations(described)):
        counts.that(label.replace(" ", "_"), met.get(label) == "", met.get(label, "it was not run"))
    for label in sorted(set(met) - operations(described)):
        counts.that(label.replace(" ", "_"), met[label] == "", met[label])
    counts.that("schemathesis_ends_well", code == 0, f"exit code {code}")
    sys.exit(counts.end())


if __name__ == "__main__":
    main()
