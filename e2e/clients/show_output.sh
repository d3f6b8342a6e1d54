#!/usr/bin/env bash
# ntc-templates, an independent reader of `show` output, against the rows that our own parsers are compared with.
set -euo pipefail
exec python3 "$INTERLOCK_SCRIPTS/../../crates/device-config/oracle/show.py"
