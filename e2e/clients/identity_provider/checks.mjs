// The platform against an identity provider that is not ours: signed tokens of three algorithms, opaque ones by
// introspection, the userinfo mode, groups and second factors from its claims, keys turned over, logouts, a person who is
// gone, and the façade. Each mode is a platform of its own, as `interlock serve` runs it.

import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { IdentityProvider } from './provider.mjs';

const { INTERLOCK_BIN, INTERLOCK_CLIENT = 'identity-provider' } = process.env;
const CALLBACK = 'http://127.0.0.1:1/callback';
const counts = { passed: 0, failed: 0 };
const folder = mkdtempSync(join(tmpdir(), 'interlock-idp-'));
const running = [];

function that(name, holds, seen) {
  counts[holds ? 'passed' : 'failed'] += 1;
  console.log(`test ${INTERLOCK_CLIENT}::${name} ... ${holds ? 'ok' : `FAILED\n  saw: ${JSON.stringify(seen)?.slice(0, 1500)}`}`);
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

// Writes a secret as an operator does.
function putSecret(config, path, fields) {
  return new Promise((done, failed) => {
    const put = execFile(INTERLOCK_BIN, ['secret', 'put', path, ...Object.keys(fields), '--config', config], (error) =>
      error ? failed(error) : done(),
    );
    put.stdin.end(`${Object.values(fields).join('\n')}\n`);
  });
}

class Platform {
  constructor(name, port) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.home = join(folder, name);
  }

  async start(issuer, entry, asker) {
    mkdirSync(join(this.home, 'state'), { recursive: true });
    const [key, config] = [join(this.home, 'master.key'), join(this.home, 'interlock.toml')];
    writeFileSync(key, randomBytes(32).toString('hex'), { mode: 0o400 });
    writeFileSync(
      config,
      `[platform]\nurl = "${this.url}"\nlisten = "127.0.0.1:${this.port}"\nstate = "${join(this.home, 'state')}"\n
[secrets]\nurl = "local:secrets.db"\nmaster_key = "file:${key}"\n
[pages]\nissuer = "${issuer}"\n
[[issuer]]\nurl = "${issuer}"\ngroups_claim = "${asker?.groupsClaim ?? 'realm.groups'}"\nmfa_acr = ["urn:test:mfa"]
group_names = { "Network Engineers" = "network-engineers" }\n${entry}\n`,
    );
    await putSecret(config, 'platform/pages', { client_secret: 'pages-secret' });
    if (asker?.secret) await putSecret(config, 'oidc/config', asker.secret);
    const log = openSync(join(this.home, 'serve.log'), 'a');
    this.process = spawn(INTERLOCK_BIN, ['serve', '--config', config], { stdio: ['ignore', log, log] });
    running.push(this);
    for (const until = Date.now() + 60_000; ; ) {
      const answer = await fetch(`${this.url}/healthz`).catch(() => undefined);
      if (answer?.ok) return this;
      if (Date.now() > until || this.process.exitCode !== null) {
        throw new Error(`the platform does not serve:\n${readFileSync(join(this.home, 'serve.log'), 'utf8')}`);
      }
      await pause(20);
    }
  }

  async stop() {
    if (this.process.exitCode !== null) return;
    const ended = new Promise((done) => this.process.once('exit', done));
    this.process.kill('SIGTERM');
    await ended;
  }

  get rest() {
    return `${this.url}/api/v1`;
  }

  get mcp() {
    return `${this.url}/mcp/interlock`;
  }

  // Who the platform says this token's holder is.
  async whoami(token, door = 'rest') {
    const authorization = `Bearer ${token}`;
    const [url, body, headers] =
      door === 'rest'
        ? [`${this.rest}/mcp/interlock/tools/whoami`, { arguments: {} }, {}]
        : [
            this.mcp,
            { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {} } },
            { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' },
          ];
    const answer = await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    const json = text.startsWith('{') ? JSON.parse(text) : text;
    const result = door === 'rest' ? json.result : json.result?.structuredContent;
    return { status: answer.status, code: json.code, challenge: answer.headers.get('www-authenticate'), result, text };
  }
}

// Authorization code with PKCE, as a client does it: cookies kept, redirects followed as far as the provider's own.
async function signIn(provider, { user, resource, acr, client = 'agent', scope = resource ? 'openid mcp' : 'openid profile' }) {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: client,
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope,
    login_hint: user,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(resource && { resource }),
    ...(acr && { acr_values: acr }),
  });
  const cookies = new Map();
  let at = `${provider.issuer}/auth?${query}`;
  for (let step = 0; !at.startsWith(CALLBACK); step += 1) {
    if (step > 10) throw new Error(`the sign-in does not end: ${at}`);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(at, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      if (value) cookies.set(name, value);
      else cookies.delete(name);
    }
    const next = answer.headers.get('location');
    if (!next) throw new Error(`${answer.status} at ${at}: ${await answer.text()}`);
    at = new URL(next, at).href;
  }
  const returned = new URL(at).searchParams;
  if (!returned.get('code')) return { error: returned.get('error') };
  const answer = await fetch(`${provider.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: client,
      code: returned.get('code'),
      redirect_uri: CALLBACK,
      code_verifier: verifier,
      ...(resource && { resource }),
    }),
  });
  return answer.json();
}

const invalid = (seen) => seen.status === 401 && seen.challenge?.includes('error="invalid_token"');

async function signedTokens() {
  const platform = new Platform('signed', await freePort());
  const provider = await new IdentityProvider().start(platform.url);
  await platform.start(provider.issuer, '');
  const token = async (more) => (await signIn(provider, { user: 'alice', resource: platform.rest, ...more })).access_token;

  for (const algorithm of ['RS256', 'ES256', 'EdDSA']) {
    provider.algorithm = algorithm;
    const seen = await platform.whoami(await token());
    that(`t1_a_token_signed_by_${algorithm}_opens_its_resource`, seen.status === 200 && seen.result.issuer === provider.issuer, seen);
    const other = await token({ resource: `${platform.url}/mcp/other` });
    const crossed = await platform.whoami(other);
    that(`t1_one_signed_by_${algorithm}_for_another_resource_does_not`, invalid(crossed) && crossed.code === 'token_audience', crossed);
  }
  const alice = await token();
  const seen = await platform.whoami(alice);
  that('t2_groups_are_those_of_the_entry_under_our_names', JSON.stringify(seen.result.groups) === '["network-engineers"]', seen);
  that('t4_a_password_is_no_second_factor', seen.result.mfa === false && seen.result.acr === 'urn:test:password', seen);
  const strong = await platform.whoami(await token({ acr: 'urn:test:mfa' }));
  that('t4_the_configured_acr_is_one', strong.result?.mfa === true, strong);
  const bob = await platform.whoami(await token({ user: 'bob' }));
  that('t2_a_group_that_the_entry_does_not_name_is_dropped', bob.status === 200 && bob.result.groups.length === 0, bob);
  const mcp = await token({ resource: platform.mcp });
  that('t1_mcp_takes_the_token_of_its_own_url', (await platform.whoami(mcp, 'mcp')).result?.subject === 'alice', mcp);
  that('t1_mcp_refuses_the_token_of_rest', invalid(await platform.whoami(alice, 'mcp')));
  const answer = await signIn(provider, { user: 'alice', resource: platform.rest });
  that('an_id_token_is_no_access_token', invalid(await platform.whoami(answer.id_token)), answer);

  // Of several sessions, the one that ended; these tokens name none, so all of alice's until now are dead.
  await platform.whoami(alice);
  await provider.announceLogout('alice', 'the-session-that-ended');
  that('t3_a_logout_ends_what_may_be_of_the_session_on_the_next_call', invalid(await platform.whoami(alice)));
  that('t3_a_logout_counts_at_every_door', invalid(await platform.whoami(mcp, 'mcp')));
  that('t3_a_logout_ends_nobody_elses', (await platform.whoami(await token({ user: 'bob' }))).status === 200);
  await pause(1_100);
  const again = await token();
  that('t3_a_new_sign_in_counts', (await platform.whoami(again)).status === 200);

  // A person who is gone: the provider says so, and gives nothing more.
  const bobs = await token({ user: 'bob' });
  that('a_person_who_is_there_is_let_in', (await platform.whoami(bobs)).status === 200);
  provider.people.delete('bob');
  await provider.announceLogout('bob');
  that('t3_a_deleted_person_is_refused_on_the_next_call', invalid(await platform.whoami(bobs)));
  that('a_deleted_person_gets_no_new_token', (await signIn(provider, { user: 'bob', resource: platform.rest })).error === 'access_denied');

  // Keys without overlap.
  for (let warm = 0; warm < 2; warm += 1) await platform.whoami(again);
  await provider.rotate();
  const fresh = await token();
  let taken = await platform.whoami(fresh);
  // Keys are fetched at most once in five seconds.
  for (const until = Date.now() + 30_000; taken.status !== 200 && Date.now() < until; taken = await platform.whoami(fresh)) await pause(200);
  that('t3_the_new_key_is_taken', taken.status === 200, taken);
  const old = await platform.whoami(again);
  that('t3_the_old_key_is_refused_on_the_next_call_with_a_warm_cache', invalid(old), old);
  await provider.stop();
  const down = await platform.whoami(fresh);
  that('known_keys_count_while_the_provider_is_away', down.status === 200, down);
  await platform.stop();
}

async function opaqueTokens() {
  const platform = new Platform('opaque', await freePort());
  const provider = await new IdentityProvider().start(platform.url);
  provider.format = 'opaque';
  const secret = { client_id: 'interlock-asker', client_secret: 'asker-secret' };
  await platform.start(provider.issuer, 'tokens = "introspection"', { secret });
  const token = async (more) => (await signIn(provider, { user: 'alice', resource: platform.rest, ...more })).access_token;

  const alice = await token({ acr: 'urn:test:mfa' });
  that('the_token_is_opaque', !alice.includes('.'), alice);
  const seen = await platform.whoami(alice);
  that('t1_an_opaque_token_opens_its_resource', seen.result?.subject === 'alice', seen);
  that('t2_an_opaque_token_has_the_same_groups_and_factors', seen.result?.groups?.[0] === 'network-engineers' && seen.result.mfa === true, seen);
  that('t1_an_opaque_token_opens_no_other', (await platform.whoami(alice, 'mcp')).code === 'token_audience');
  const nameless = await signIn(provider, { user: 'alice' });
  const without = await platform.whoami(nameless.access_token);
  that('t1_one_without_an_audience_opens_nothing', invalid(without), without);
  that('one_that_the_provider_does_not_know_is_refused', invalid(await platform.whoami('nobody-knows-this-one')));
  const revoked = await token();
  await fetch(`${provider.issuer}/token/revocation`, {
    method: 'POST',
    body: new URLSearchParams({ token: revoked, client_id: 'agent' }),
  });
  that('t3_one_revoked_at_its_issuer_is_refused', invalid(await platform.whoami(revoked)));
  await provider.announceLogout('alice');
  that('t3_a_logout_ends_a_cached_answer_on_the_next_call', invalid(await platform.whoami(alice)));
  const unasked = await token({ user: 'bob' });
  await provider.stop();
  const down = await platform.whoami(unasked);
  that('nobody_is_let_in_on_a_guess', down.status === 503 && down.code === 'issuer_unavailable', down);
  await platform.stop();
}

async function userinfoMode() {
  const provider = await new IdentityProvider().start('http://127.0.0.1:1');
  const any = await new Platform('userinfo', await freePort()).start(
    provider.issuer,
    'tokens = "userinfo"\nuserinfo_any_client = true\nassume_mfa = true',
    { groupsClaim: 'groups' },
  );
  const alice = await signIn(provider, { user: 'alice', acr: 'urn:test:mfa' });
  const seen = await any.whoami(alice.access_token);
  that('t2_userinfo_mode_names_the_person_and_the_groups', seen.result?.subject === 'alice' && seen.result.groups[0] === 'network-engineers', seen);
  that('t2_userinfo_mode_never_satisfies_step_up', seen.result?.mfa === false, seen);
  const gone = await signIn(provider, { user: 'bob' });
  provider.people.delete('bob');
  const deleted = await any.whoami(gone.access_token);
  that('a_deleted_person_is_refused', invalid(deleted), deleted);
  await any.stop();

  const asker = { groupsClaim: 'groups', secret: { client_id: 'interlock-asker', client_secret: 'asker-secret', userinfo_url: `${provider.issuer}/me` } };
  const named = await new Platform('named', await freePort()).start(provider.issuer, 'tokens = "userinfo"\nclients = ["agent"]', asker);
  const known = await named.whoami(alice.access_token);
  that('t2_with_introspection_a_client_that_is_named_passes', known.result?.subject === 'alice', known);
  const other = await signIn(provider, { user: 'alice', client: 'other-agent' });
  const stranger = await named.whoami(other.access_token);
  that('t2_with_introspection_another_client_does_not', invalid(stranger), stranger);
  await named.stop();
  await provider.stop();
}

// A client that nobody registered, at a provider that does not know `resource`.
async function throughTheFacade() {
  const platform = new Platform('facade', await freePort());
  const provider = await new IdentityProvider().start(platform.url);
  provider.person = 'alice';
  provider.resource = 'api://interlock';
  const secret = { client_id: 'interlock-asker', client_secret: 'asker-secret' };
  await platform.start(
    provider.issuer,
    'facade = "corporate"\nfacade_scopes = ["openid", "offline_access", "mcp"]\naudience = "api://interlock"',
    { secret },
  );
  const challenged = await fetch(platform.mcp, { method: 'POST' });
  const document = challenged.headers.get('www-authenticate').match(/resource_metadata="([^"]+)"/)[1];
  const { authorization_servers: [server] } = await (await fetch(document)).json();
  that('the_resource_names_the_facade', server === `${platform.url}/oauth/corporate`, server);
  const at = new URL(server);
  const metadata = await (await fetch(`${at.origin}/.well-known/oauth-authorization-server${at.pathname}`)).json();
  that('the_facade_describes_itself', metadata.issuer === server && metadata.code_challenge_methods_supported[0] === 'S256', metadata);
  const registered = await fetch(metadata.registration_endpoint, {
    method: 'POST',
    body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/callback'], client_name: 'A client of the test' }),
  });
  const { client_id } = await registered.json();
  that('a_client_registers_itself', registered.status === 201 && client_id.length > 40, client_id);

  const verifier = randomBytes(32).toString('base64url');
  const redirect_uri = 'http://127.0.0.1:1/callback';
  const query = new URLSearchParams({
    client_id,
    redirect_uri,
    response_type: 'code',
    state: 'mine',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: platform.mcp,
  });
  const page = await fetch(`${metadata.authorization_endpoint}?${query}`, { redirect: 'manual' });
  const text = await page.text();
  that('a_person_is_asked_first', page.status === 200 && text.includes('A client of the test'), text);
  const cookies = new Map([page.headers.getSetCookie()[0].split(';')[0].split('=')]);
  const form = new URLSearchParams({ request: text.match(/name="request" value="([^"]+)"/)[1], decision: 'allow' });
  let next = { url: metadata.authorization_endpoint, options: { method: 'POST', body: form } };
  for (let step = 0; !next.url.startsWith(CALLBACK); step += 1) {
    if (step > 10) throw new Error(`the sign-in does not end: ${next.url}`);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(next.url, { ...next.options, redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const pair = line.split(';')[0];
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const location = answer.headers.get('location');
    if (!location) throw new Error(`${answer.status} at ${next.url}: ${await answer.text()}`);
    next = { url: new URL(location, next.url).href, options: {} };
  }
  const returned = new URL(next.url).searchParams;
  that('the_code_comes_back_with_state_and_issuer', returned.get('state') === 'mine' && returned.get('iss') === server, next.url);
  const ask = async (more) =>
    (await fetch(metadata.token_endpoint, { method: 'POST', body: new URLSearchParams({ client_id, ...more }) })).json();
  const tokens = await ask({ grant_type: 'authorization_code', code: returned.get('code'), redirect_uri, code_verifier: verifier });
  const seen = await platform.whoami(tokens.access_token, 'mcp');
  that('the_providers_token_opens_the_platform', seen.result?.subject === 'alice' && seen.result.client_id === 'interlock-asker', [seen, tokens]);
  that('the_providers_audience_counts_for_the_whole_platform', (await platform.whoami(tokens.access_token)).status === 200);
  const again = await ask({ grant_type: 'authorization_code', code: returned.get('code'), redirect_uri, code_verifier: verifier });
  that('a_code_is_good_once', again.error === 'invalid_grant', again);
  await platform.stop();
  await provider.stop();
}

let broke = false;
for (const part of [signedTokens, opaqueTokens, userinfoMode, throughTheFacade]) {
  try {
    await part();
  } catch (error) {
    broke = true;
    counts.failed += 1;
    console.log(`test ${INTERLOCK_CLIENT}::${part.name} ... FAILED\n  ${error.stack}`);
  }
}
for (const platform of running) await platform.stop();
if (!broke) rmSync(folder, { recursive: true, force: true });
console.log(`\ntest result: ${counts.failed ? 'FAILED' : 'ok'}. ${counts.passed} passed; ${counts.failed} failed; 0 ignored`);
process.exit(counts.failed ? 1 : 0);
