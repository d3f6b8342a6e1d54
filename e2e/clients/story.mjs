// The story of `story.py` for Node's clients: see, be refused, pass, do, see again. A driver calls `run` with
// `connect(url, person)`, which gives `{tools(), call(name, arguments), close()}`; `call` gives `{isError, structured, text}`.
// The person has `provider()`, what the SDKs' OAuth clients ask for, and `cameBack()`, the parameters of the redirect.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const { INTERLOCK_READY, INTERLOCK_CLIENT = 'client' } = process.env;
const SERVER = 'catalyst-center';
const here = dirname(fileURLToPath(import.meta.url));
const counts = { passed: 0, failed: 0 };

function that(name, holds, seen) {
  if (holds) {
    counts.passed += 1;
    console.log(`test ${INTERLOCK_CLIENT}::${name} ... ok`);
  } else {
    counts.failed += 1;
    console.log(`test ${INTERLOCK_CLIENT}::${name} ... FAILED\n  saw: ${JSON.stringify(seen)?.slice(0, 1000)}`);
  }
}

// Nobody listens there: the browser hands the code over before it gets there.
const REDIRECT = 'http://127.0.0.1:53682/callback';

class Person {
  constructor(name, registers) {
    Object.assign(this, { name, registers, signIns: 0, redirect: undefined });
  }

  // The storage and the browser of the SDK's OAuth client. What it knows of a client that the lab knows already has no
  // registration of its own.
  provider() {
    const kept = { client: this.registers ? undefined : { client_id: 'interlock-lab' } };
    const person = this;
    return {
      redirectUrl: REDIRECT,
      clientMetadata: {
        client_name: "Interlock's suite (TypeScript)",
        redirect_uris: [REDIRECT],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
      clientInformation: () => kept.client,
      saveClientInformation: (client) => { kept.client = client; },
      tokens: () => kept.tokens,
      saveTokens: (tokens) => { kept.tokens = tokens; },
      codeVerifier: () => kept.verifier,
      saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
      discoveryState: () => kept.discovery,
      saveDiscoveryState: (state) => { kept.discovery = state; },
      redirectToAuthorization: async (url) => {
        person.signIns += 1;
        const { stdout } = await execute('python3', [join(here, 'sign_in.py'), url.href, '--user', person.name]);
        person.redirect = new URL(stdout.trim());
      },
    };
  }

  cameBack() {
    return this.redirect.searchParams;
  }
}

async function registers(issuer) {
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  return 'registration_endpoint' in metadata;
}

async function play(connect, signsIn) {
  const ready = JSON.parse(readFileSync(INTERLOCK_READY, 'utf8'));
  const url = ready.mcp[SERVER];
  const vlan = 2000 + (Math.floor(Date.now() / 1000) % 900);
  const line = `\nvlan ${vlan}\n`;

  const open = await registers(ready.issuer);
  const person = new Person('alice', open);
  const alice = await connect(url, person);
  const seen = await alice.tools();
  if (signsIn) that('it_signs_in_by_itself', person.signIns === 1, person.signIns);
  that('an_engineer_sees_the_deployment', ['deploy_template', 'get_all_templates', 'list_devices'].every((t) => seen.includes(t)), seen);

  const templates = await alice.call('get_all_templates', {});
  const rows = templates.structured?.templates ?? [];
  that('templates_come_in_the_articles_shape', !templates.isError && templates.structured.status === 'success' && rows.length > 0 && templates.structured.count === rows.length, templates);
  const template = rows.find((row) => row.name === 'access-vlan').template_id;

  const devices = await alice.call('list_devices', { family: 'Switches and Hubs', role: 'ACCESS', reachability: 'Reachable', limit: 5 });
  that('devices_come_as_a_page', !devices.isError && devices.structured.items.length > 0 && devices.structured.items.length <= 5, devices);
  const device = devices.structured.items.find((row) => row.software_type === 'IOS-XE').id;

  const before = await alice.call('get_device_config', { device_id: device });
  that('the_line_is_not_there_yet', !before.isError && !before.structured.config.includes(line), before);

  const wrong = await alice.call('get_device', { device_id: 7 });
  that('invalid_arguments_are_an_answer_not_a_broken_call', wrong.isError && wrong.structured?.code === 'invalid_arguments' && wrong.text.startsWith('Refused (invalid_arguments)'), wrong);

  const deployment = { template_id: template, device_id: device, params: { vlan_id: vlan, vlan_name: `CLIENT${vlan}` } };
  const refused = await alice.call('deploy_template', deployment);
  that('t11_a_deployment_is_refused_with_its_reason', refused.isError && refused.structured?.code === 'step_up_required', refused);
  const link = refused.structured?.url;
  that('t11_the_refusal_says_the_word_the_code_and_the_link_in_its_text', refused.text.startsWith('Refused (step_up_required)') && link && refused.text.includes(link), refused);

  console.log(`passing the second factor at ${link}`);
  await execute('python3', [join(here, 'pass_second_factor.py'), link, '--user', 'alice']);
  const done = await alice.call('deploy_template', deployment);
  let status = done.structured?.status;
  that('t4_the_very_same_call_succeeds_afterwards', !done.isError && ['success', 'in_progress'].includes(status), done);
  const until = Date.now() + 60_000;
  while (status === 'in_progress' && Date.now() < until) {
    status = (await alice.call('get_deployment', { deployment_id: done.structured.deployment_id, wait_s: 20 })).structured.status;
  }
  that('the_deployment_ends_well', status === 'success', status);
  const polled = await alice.call('get_deployment', { deployment_id: done.structured.deployment_id, wait_s: 20 });
  that('a_long_call_is_polled', !polled.isError && polled.structured.status === 'success', polled);

  const after = await alice.call('get_device_config', { device_id: device });
  that('the_line_is_on_the_device', !after.isError && after.structured.config.includes(line), after);
  await alice.close();

  const sam = await connect(url, new Person('sam', open));
  const fewer = await sam.tools();
  that('t10_the_service_desk_never_sees_the_deployment', !fewer.includes('deploy_template') && fewer.includes('list_devices'), fewer);
  const one = await sam.call('list_devices', { limit: 1 });
  that('the_service_desk_reads', !one.isError && one.structured.items.length === 1, one);
  await sam.close();
}

export { that };

// `signsIn` says that the library itself asks the person to sign in; `more()` comes after the story.
export async function run(connect, { signsIn = true, more = async () => {} } = {}) {
  try {
    await play(connect, signsIn);
    await more();
  } catch (error) {
    that('the_story_comes_to_its_end', false, String(error?.stack ?? error));
  }
  console.log(`test result: ${counts.failed ? 'FAILED' : 'ok'}. ${counts.passed} passed; ${counts.failed} failed`);
  process.exit(counts.failed || !counts.passed ? 1 : 0);
}
