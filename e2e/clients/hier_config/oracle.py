"""hier-config against `interlock device-config`, over the pairs of crates/device-config/fixtures/pairs.

For every pair three things are compared: the lines that lead from what runs to what is wanted (hier-config's remediation),
the lines that lead back (its rollback), and what our model makes of its remediation, which must be what is wanted. Every
difference stands in oracle-differences.toml with its explanation; one that does not, and one that stands there and is
gone, fail. `--write` writes the file again: explanations stay, new differences become `unexplained`.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

from hier_config import Platform, WorkflowRemediation, get_hconfig

ROOT = pathlib.Path(os.environ["INTERLOCK_SCRIPTS"]).parent.parent
FIXTURES = ROOT / "crates/device-config/fixtures"
DIFFERENCES = FIXTURES / "oracle-differences.toml"
PLATFORMS = {"ios-xe": Platform.CISCO_IOS, "nx-os": Platform.CISCO_NXOS, "ios-xr": Platform.CISCO_XR}
# Lines that only close a section; hier-config has none of them in its trees.
CLOSING = {"exit", "exit-address-family", "end-policy", "end-set", "end-policy-map", "end-class-map", "end-group", "root"}


def written(platform):
    text = (FIXTURES / "pairs" / f"{platform.replace('-', '_')}.txt").read_text()
    for case in text.split("\n=== ")[1:]:
        name, rest = case.split("\n--- running\n")
        running, intended = rest.split("--- intended\n")
        yield name, (running, intended)


def all_pairs():
    parts = {platform: dict(written(platform)) for platform in PLATFORMS}
    for platform, pairs in parts.items():
        for name, pair in pairs.items():
            yield platform, name, pair
    for line in (FIXTURES / "pairs/composed.txt").read_text().splitlines():
        if " + " in line:
            platform, names = line.split(" ", 1)
            chosen = [parts[platform][name] for name in names.split(" + ")]
            yield platform, names, ("".join(p[0] for p in chosen), "".join(p[1] for p in chosen))


def ours(command, platform, base, text, *more):
    """Runs our command; gives its JSON whatever its exit code says."""
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(base)
        file.flush()
        line = [os.environ["INTERLOCK_BIN"], "device-config", command, "--json", "--platform", platform, "--base", file.name]
        run = subprocess.run([*line, *more], input=text, capture_output=True, text=True, timeout=60)
    if not run.stdout.strip():
        raise SystemExit(f"{command} for {platform} said nothing: {run.stderr}")
    return json.loads(run.stdout)


def paths(lines):
    """Leaves of indented lines, each with the sections around it."""
    found, stack = [], []
    lines = iter(lines)
    for raw in lines:
        text = " ".join(raw.split())
        if text.startswith("banner "):
            # A banner is one value over several lines.
            delimiter = text.split()[2][0]
            while text.count(delimiter) < 2:
                text = " ".join([text, *next(lines).split()])
        if not text or text.startswith("!") or text in CLOSING:
            continue
        column = len(raw) - len(raw.lstrip())
        while stack and stack[-1][0] >= column:
            stack.pop()
        stack.append((column, text))
        path = tuple(part for _, part in stack)
        if found and found[-1] == path[:-1]:
            found.pop()
        found.append(path)
    return set(found)


def theirs(config):
    leaves = (child for child in config.all_children_sorted() if not child.children)
    return {tuple(" ".join(part.split()) for part in leaf.path() if part not in CLOSING) for leaf in leaves} - {()}


def text_of(config):
    return "\n".join(config.lines(sectional_exiting=True)) + "\n"


def flat(changes, path=()):
    """Our JSON difference as leaves, with `-` or `+` before each."""
    for change in changes:
        if "section" in change:
            if change["was"]:
                yield "- " + " > ".join((*path, change["was"]))
                yield "+ " + " > ".join((*path, change["section"]))
            yield from flat(change["changes"], (*path, change["section"]))
            continue
        sign, node = ("-", change["removed"]) if "removed" in change else ("+", change["added"])
        yield f"{sign} " + " > ".join((*path, node["line"].split("\n")[0]))


def compare(case):
    platform, name, (running, intended) = case
    driver = PLATFORMS[platform]
    work = WorkflowRemediation(get_hconfig(driver, running), get_hconfig(driver, intended))
    remediation, rollback = work.remediation_config, work.rollback_config
    found = set()

    def sides(what, own, other):
        found.update((platform, what, "ours", " > ".join(path), name) for path in own - other)
        found.update((platform, what, "theirs", " > ".join(path), name) for path in other - own)

    forward = ours("diff", platform, running, intended, "--lines")
    # Where we give none, there is nothing to compare line by line.
    if forward["kind"] == "none":
        found.add((platform, "remediation", "none", forward["reason"], name))
        back = {"kind": "none", "reason": "no_way_forward"}
    else:
        sides("remediation", paths(forward["lines"]), theirs(remediation))
        back = ours("undo", platform, running, "\n".join(forward["lines"]))
    if back["kind"] == "none":
        found.add((platform, "rollback", "none", back["reason"], name))
    else:
        sides("rollback", paths(back["lines"]), theirs(rollback))
    merged = ours("merge", platform, running, text_of(remediation))
    left = ours("diff", platform, intended, merged["after"])
    found.update((platform, "merge", "left", leaf, name) for leaf in flat(left["changes"]))
    found.update((platform, "merge", "unmodelled", " > ".join([*u["within"], u["line"]]), name) for u in merged["unmodelled"])
    return found


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def write(because, groups, explained):
    out = [
        "# Where `interlock device-config` and hier-config differ, over the pairs beside this file, and why. Written by",
        "# e2e/clients/hier_config/oracle.py, which fails on a difference that is not here and on one that is here and gone.",
        "",
        "[because]",
    ]
    out += [f"{key} = {quoted(text)}" for key, text in sorted(because.items())]
    for (platform, what, side, line), names in sorted(groups.items()):
        reason = explained.get((platform, what, side, line), "unexplained")
        out += ["", "[[difference]]", f"platform = {quoted(platform)}", f"what = {quoted(what)}", f"side = {quoted(side)}"]
        out += [f"line = {quoted(line)}", f"because = {quoted(reason)}", "pairs = ["]
        out += [f"    {quoted(name)}," for name in sorted(names)]
        out += ["]"]
    DIFFERENCES.write_text("\n".join(out) + "\n")


def main():
    cases = list(all_pairs())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(compare, cases))
    groups = {}
    for platform, what, side, line, name in set().union(*results):
        groups.setdefault((platform, what, side, line), set()).add(name)
    recorded = tomllib.loads(DIFFERENCES.read_text()) if DIFFERENCES.exists() else {}
    because = recorded.get("because", {})
    known = {(d["platform"], d["what"], d["side"], d["line"]): d for d in recorded.get("difference", [])}
    if "--write" in sys.argv[1:]:
        write(because, groups, {key: d["because"] for key, d in known.items()})
        return 0
    failed = []
    for key, names in groups.items():
        entry = known.get(key)
        if entry is None or entry["because"] not in because:
            failed.append(f"not explained: {' | '.join(key)} in {', '.join(sorted(names))}")
        elif set(entry["pairs"]) != names:
            failed.append(f"explained for other pairs: {' | '.join(key)} is in {', '.join(sorted(names))}")
    failed += [f"explained, and gone: {' | '.join(key)}" for key in known.keys() - groups.keys()]
    failed += [f"no difference is because of `{key}`" for key in because.keys() - {d["because"] for d in known.values()}]
    agree = {what: sum(all(row[1] != what for row in result) for result in results) for what in ("remediation", "rollback", "merge")}
    print(f"oracle: {len(cases)} pairs against hier-config")
    for what, count in agree.items():
        print(f"  {what}: {count} pairs without a difference")
    print(f"  {len(groups)} differing lines, each with one of {len(because)} explanations")
    for platform in PLATFORMS:
        print(f"  {platform}: {sum(case[0] == platform for case in cases)} pairs")
    for line in failed:
        print(f"  {line}")
    if len(cases) < 200:
        failed.append("fewer than 200 pairs")
    print(f"test result: {'FAILED' if failed else 'ok'}. {len(cases)} passed; {len(failed)} failed; 0 ignored")
    return 1 if failed else 0


sys.exit(main())
