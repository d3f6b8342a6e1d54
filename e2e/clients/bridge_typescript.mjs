// The bridge under TypeScript SDK 2.x over standard input and output: it negotiates, and arrives at 2026-07-28 through the
// bridge. The bridge signs in by the person's browser, which `pass_second_factor.py` plays.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

import { run, that } from './story.mjs';

const { INTERLOCK_BIN, INTERLOCK_READY, INTERLOCK_STATE } = process.env;
const here = dirname(fileURLToPath(import.meta.url));
const { url } = JSON.parse(readFileSync(INTERLOCK_READY, 'utf8'));

// A session over a bridge of this person's own, as a client's configuration starts one.
async function bridge(user, ...options) {
  const client = new Client({ name: 'interlock-suite', version: '2.0.0' }, { versionNegotiation: { mode: 'auto' } });
  const browser = `python3 ${join(here, 'pass_second_factor.py')} --user ${user} %s`;
  const env = { ...process.env, XDG_STATE_HOME: join(INTERLOCK_STATE, `home-of-${user}`), BROWSER: browser };
  const args = ['mcp', 'bridge', 'catalyst-center', '--url', url, '--store', 'file', ...options];
  await client.connect(new StdioClientTransport({ command: INTERLOCK_BIN, args, env }));
  const call = async (name, args, options) => {
    const result = await client.callTool({ name, arguments: args }, options);
    return { isError: result.isError ?? false, structured: result.structuredContent, text: result.content[0].text };
  };
  return { call, tools: async () => (await client.listTools()).tools.map((tool) => tool.name), close: () => client.close() };
}

// What only the bridge does.
async function more() {
  const vlan = 3000 + (Math.floor(Date.now() / 1000) % 900);
  const bob = await bridge('bob', '--step-up', 'browser');
  const { templates } = (await bob.call('get_all_templates', {})).structured;
  const { items } = (await bob.call('list_devices', { family: 'Switches and Hubs', role: 'ACCESS', reachability: 'Reachable', limit: 5 })).structured;
  const deployment = {
    template_id: templates.find((row) => row.name === 'access-vlan').template_id,
    device_id: items.find((row) => row.software_type === 'IOS-XE').id,
    params: { vlan_id: vlan, vlan_name: 'BRIDGE' },
  };
  const heard = [];
  const waits = { timeout: 120_000, onprogress: ({ message }) => heard.push(message) };
  const done = await bob.call('deploy_template', deployment, waits);
  that('t4_the_bridge_does_the_step_up_and_the_call_succeeds', !done.isError && ['success', 'in_progress'].includes(done.structured?.status), done);
  that('the_wait_was_told', heard.some((message) => message?.includes('second factor')), heard);

  const stop = new AbortController();
  const cancelled = bob.call('list_devices', { limit: 500 }, { signal: stop.signal });
  stop.abort('not needed any more');
  const ended = await cancelled.then(() => 'answered', () => 'cancelled');
  const again = await bob.call('list_devices', { limit: 1 });
  that('a_cancelled_call_ends_and_the_next_one_works', ended === 'cancelled' && again.structured.items.length === 1, ended);
  await bob.close();
}

// It is the bridge that signs in, at the person's browser of the machine.
await run((_url, person) => bridge(person.name, '--step-up', 'pass'), { signsIn: false, more });
