"""A signed-in SDK whose calls are counted, and named checks. Releases name some methods differently: a call takes all names."""

import importlib.metadata
import json
import time
import traceback

from catalystcentersdk import api

# The API version of each package: the first three or four numbers of the package.
VERSIONS = {"2.3.7.9": "2.3.7.9", "3.1.3.0": "3.1.3.0"}


class Checks:
    """Named checks; each is counted, failed ones decide the exit code."""

    def __init__(self):
        self.passed, self.failed = [], []

    def that(self, name, holds, seen=None):
        if holds:
            self.passed.append(name)
        else:
            self.failed.append({"check": name, "seen": repr(seen)[:300]})

    def equal(self, name, one, other):
        self.that(name, one == other, (one, other))

    def area(self, name, run, *args):
        """Runs the checks of one area; what raises is one failed check, and the other areas still run."""
        try:
            return run(*args)
        except Exception:
            self.failed.append({"check": f"{name} raised", "seen": traceback.format_exc()[-600:]})
            return None

    def refused(self, name, status, call):
        """The call must be refused with this HTTP status, as the SDK's own exception."""
        try:
            call()
            self.that(name, False, "no error")
        except Exception as error:  # the SDK has its own classes per version
            self.equal(name, getattr(error, "status_code", repr(error)), status)


class Center:
    """The SDK. `calls` counts calls, `methods` holds the names of the methods that were called."""

    def __init__(self, base_url, user, password):
        self.sdk = importlib.metadata.version("catalystcentersdk")
        version = VERSIONS[".".join(self.sdk.split(".")[:4])]
        self.api = api.CatalystCenterAPI(
            username=user, password=password, base_url=base_url, version=version, verify=False
        )
        self.calls, self.methods = 0, set()

    def __call__(self, area, names, *args, **kwargs):
        """Calls the first of the names (separated by spaces) that this release has."""
        holder = getattr(self.api, area)
        name = next(name for name in names.split() if hasattr(holder, name))
        self.calls += 1
        self.methods.add(f"{area}.{name}")
        return getattr(holder, name)(*args, **kwargs)

    def has(self, area, name):
        return hasattr(getattr(self.api, area), name)

    def pages(self, area, names, size, **kwargs):
        """All rows of a list whose offset begins at 1."""
        rows, offset = [], 1
        while True:
            page = self(area, names, offset=offset, limit=size, **kwargs).response
            rows += page
            if len(page) < size:
                return rows
            offset += size

    def ended(self, accepted):
        """The ended task of an answer that names one."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            task = self("task", "get_task_by_id", accepted.response.taskId).response
            if task.get("endTime") or task.isError:
                return task
            time.sleep(0.05)
        raise TimeoutError(json.dumps(accepted))
