// The official MCP conformance suite (server leg) against the fixture of a lab, both revisions, authentication on.
//
// The suite cannot send a token, so a small proxy on loopback adds one; everything else passes as it is, except that
// the proxy's own name in `Host` and `Origin` becomes the lab's, so that the scenarios about foreign names test the edge.
//
// 2026-07-28 runs whole, with the tasks extension and an empty baseline. 2025-11-25 runs with the baseline beside this
// file, strictly: a scenario that it does not list must pass, one that it lists must fail. Prints the suite's own summary, a
// line per check that is not green, and what it all comes to in the form that `cargo xtask test` counts.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
// Scripts run from a copy beside `node_modules`.
const suite = join(here, "../../node_modules/@modelcontextprotocol/conformance/dist/index.js");
const ready = JSON.parse(readFileSync(process.env.INTERLOCK_READY, "utf8"));
const server = new URL(ready.mcp.conformance);
const baseline = join(here, "baseline-2025-11-25.yml");

// Scenarios of the tasks extension; the suite runs them unscored with the revision, here each one counts.
const TASKS = [
  "tasks-lifecycle",
  "tasks-capability-negotiation",
  "tasks-wire-fields",
  "tasks-request-state-removal",
  "tasks-mrtr-input",
  "tasks-request-headers",
  "tasks-dispatch-and-envelope",
  "tasks-status-notifications",
  "tasks-required-task-error",
  "tasks-mrtr-composition",
];
// Run by the suite without a score because they are newer than the frozen list; they count here too.
const UNSCORED = ["json-schema-2020-12", "http-header-validation", "http-custom-header-server-validation"];

function token() {
  const user = ready.users[0].name;
  const args = ["lab", "token", "--state", process.env.INTERLOCK_STATE, "--user", user, "--audience", server.href];
  return execFileSync(process.env.INTERLOCK_BIN, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
}

let bearer = token();

function proxy() {
  const own = (value, to) => (value && /^(https?:\/\/)?(localhost|127\.0\.0\.1):/.test(value) ? to : value);
  const listener = http.createServer((request, response) => {
    const headers = { ...request.headers, authorization: `Bearer ${bearer}` };
    headers.host = own(headers.host, server.host);
    if (headers.origin) headers.origin = own(headers.origin, server.origin);
    const onward = http.request(
      { host: server.hostname, port: server.port, method: request.method, path: request.url, headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", (error) => {
      if (!response.headersSent) response.writeHead(502);
      response.end(String(error));
    });
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  return new Promise((resolve) => listener.listen(0, "127.0.0.1", () => resolve(listener)));
}

function run(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [suite, "server", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    child.stderr.on("data", (data) => (said += data));
    child.on("close", (code) => resolve({ code, said }));
  });
}

// Every check of every scenario that left a file: [scenario, check].
function checks(folder) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith("checks.json"));
  return files.flatMap((name) => {
    const scenario = dirname(name).split("/").pop().replace(/^server-/, "").replace(/-\d{4}-\d{2}-\d{2}T.*$/, "");
    return JSON.parse(readFileSync(join(folder, name), "utf8")).map((check) => [scenario, check]);
  });
}

const count = (list, status) => list.filter(([, check]) => check.status === status).length;
let passed = 0;
let failed = 0;

function verdict(name, good, detail) {
  good ? (passed += 1) : (failed += 1);
  console.log(`test conformance ${name} ... ${good ? "ok" : "FAILED"}${detail ? ` (${detail})` : ""}`);
}

function notGreen(list) {
  for (const [scenario, check] of list) {
    if (["SUCCESS", "INFO", "SKIPPED"].includes(check.status)) continue;
    console.log(`  ${check.status} ${scenario}:${check.id}  ${(check.errorMessage ?? "").split("\n")[0].slice(0, 200)}`);
  }
}

// The frozen list of a revision, as the suite scores it.
async function required(url, revision, expected) {
  bearer = token();
  const out = mkdtempSync(join(tmpdir(), "conformance-"));
  const args = ["--url", url, "--requirements", revision, "-o", out];
  const { code, said } = await run(expected ? [...args, "--expected-failures", expected] : args);
  const summary = said.slice(Math.max(0, said.indexOf("=== SUMMARY")));
  console.log(`\n== --requirements ${revision}\n${summary.trim()}`);
  const all = checks(out);
  notGreen(all);
  rmSync(out, { recursive: true, force: true });
  const detail = `${count(all, "SUCCESS")} checks passed, ${count(all, "FAILURE")} failed, ${count(all, "WARNING")} warned`;
  verdict(`${revision} whole`, code === 0, detail);
  if (!expected) {
    verdict(`${revision} without a failure or warning`, count(all, "FAILURE") + count(all, "WARNING") === 0, detail);
  }
}

async function scenario(url, name, revision) {
  bearer = token();
  const out = mkdtempSync(join(tmpdir(), "conformance-"));
  const { code } = await run(["--url", url, "--scenario", name, "--spec-version", revision, "--force", "-o", out]);
  const all = checks(out);
  notGreen(all);
  rmSync(out, { recursive: true, force: true });
  const bad = count(all, "FAILURE") + count(all, "WARNING");
  const detail = `${count(all, "SUCCESS")} passed, ${bad} failed, ${count(all, "SKIPPED")} skipped by the suite`;
  verdict(`${revision} ${name}`, code === 0 && bad === 0 && all.length > 0, detail);
}

const listener = await proxy();
const url = `http://127.0.0.1:${listener.address().port}${server.pathname}`;
await required(url, "2026-07-28", null);
console.log("\n== extension and unscored scenarios, each by itself");
for (const name of [...TASKS, ...UNSCORED]) await scenario(url, name, "2026-07-28");
await required(url, "2025-11-25", baseline);
listener.closeAllConnections();
listener.close();
console.log(`\ntest result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed; 0 ignored`);
process.exit(failed === 0 ? 0 : 1);
