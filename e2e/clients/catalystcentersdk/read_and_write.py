"""Reads and writes with Cisco's own SDK against the simulated Catalyst Center.

    python read_and_write.py BASE_URL USER PASSWORD

Prints one JSON summary and the count; exit code 0 = every check held, 1 = a check failed, 2 = the SDK or the simulator raised.
"""

import json
import sys
import traceback

from center import Center, Checks
from reads import read
from writes import write

# Fewer different methods than this would leave whole areas of the API out.
LEAST_METHODS = 60


def main(base_url, user, password):
    center, check = Center(base_url, user, password), Checks()
    device = read(center, check)
    vlan = write(center, check, device)
    check.that("enough of the SDK is used", len(center.methods) >= LEAST_METHODS, len(center.methods))
    summary = {"sdk": center.sdk, "calls": center.calls, "methods": len(center.methods), "device": device.hostname, "vlan": vlan}
    print(json.dumps(summary | {"passed": len(check.passed), "failed": check.failed}))
    word = "FAILED" if check.failed else "ok"
    print(f"test result: {word}. {len(check.passed)} passed; {len(check.failed)} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(main(*sys.argv[1:]))
    except Exception:
        traceback.print_exc()
        sys.exit(2)
