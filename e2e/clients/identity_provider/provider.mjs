// An identity provider that is not ours: `oidc-provider` on loopback, whose people sign in without a page. A test sets what
// it issues (`format`, `algorithm`), changes people, turns keys over, and announces logouts.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import Provider, { errors } from 'oidc-provider';

const SCOPE = 'mcp';
const CALLBACK = 'http://127.0.0.1:1/callback';
const ACR = { password: 'urn:test:password', mfa: 'urn:test:mfa' };

function signingKeys() {
  const key = (type, options, alg) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
    alg,
    use: 'sig',
    kid: randomUUID(),
  });
  return {
    keys: [
      key('rsa', { modulusLength: 2048 }, 'RS256'),
      key('ec', { namedCurve: 'P-256' }, 'ES256'),
      key('ed25519', {}, 'EdDSA'),
    ],
  };
}

export class IdentityProvider {
  people = new Map([
    ['alice', { groups: ['Network Engineers', 'staff'] }],
    ['bob', { groups: ['staff'] }],
  ]);
  // What an access token with an audience is: `jwt` or `opaque`, and who signs it.
  format = 'jwt';
  algorithm = 'RS256';

  // Whom a sign-in without `login_hint` is of, and what a request without `resource` is for.
  person = undefined;
  resource = undefined;

  async start(platform) {
    this.platform = platform;
    await this.#listen(0);
    return this;
  }

  // The same provider with other keys, as after a rotation without overlap.
  async rotate() {
    const { port } = this.server.address();
    await this.stop();
    await this.#listen(port);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  // To the platform's own client here; with a session, or for everything of the person.
  async announceLogout(subject, session) {
    const client = await this.provider.Client.find('interlock-pages');
    client.backchannelLogoutSessionRequired = session !== undefined;
    await client.backchannelLogout(subject, session);
  }

  async #listen(port) {
    this.server = createServer((request, response) => {
      // Nobody keeps a connection to a server that a rotation replaces.
      response.shouldKeepAlive = false;
      return this.handle(request, response);
    });
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.issuer = `http://127.0.0.1:${this.server.address().port}`;
    this.provider = new Provider(this.issuer, this.#configuration());
    this.provider.use((context, next) => this.#interaction(context, next));
    this.provider.on('server_error', (_context, error) => console.error(error));
    this.handle = this.provider.callback();
  }

  #claims(subject) {
    const person = this.people.get(subject);
    return person && { sub: subject, name: `${subject} of the test`, preferred_username: subject, groups: person.groups };
  }

  #configuration() {
    const self = this;
    const client = (client_id, more) => ({ client_id, redirect_uris: [CALLBACK], response_types: ['code'], ...more });
    return {
      jwks: signingKeys(),
      cookies: { keys: ['only a test'] },
      pkce: { required: () => true },
      scopes: ['openid', 'offline_access', SCOPE],
      acrValues: Object.values(ACR),
      claims: { openid: ['sub', 'groups', 'acr', 'amr', 'auth_time'], profile: ['name', 'preferred_username'] },
      ttl: { AccessToken: 300, RefreshToken: 3600, IdToken: 300, Session: 3600, Grant: 3600, Interaction: 300, AuthorizationCode: 60 },
      clients: [
        client('agent', { token_endpoint_auth_method: 'none', application_type: 'native', grant_types: ['authorization_code'] }),
        client('other-agent', { token_endpoint_auth_method: 'none', application_type: 'native', grant_types: ['authorization_code'] }),
        client('interlock-pages', {
          client_secret: 'pages-secret',
          grant_types: ['authorization_code'],
          backchannel_logout_uri: `${self.platform}/backchannel-logout`,
          backchannel_logout_session_required: true,
        }),
        client('interlock-asker', {
          client_secret: 'asker-secret',
          redirect_uris: [`${self.platform}/oauth/corporate/callback`],
          grant_types: ['authorization_code', 'refresh_token'],
        }),
      ],
      // Logout tokens go to the platform on loopback, and nothing goes anywhere else.
      fetch(url, { dispatcher, ...options }) {
        if (new URL(url).hostname !== '127.0.0.1') throw new Error(`not a loopback address: ${url}`);
        return fetch(url, options);
      },
      findAccount: (_context, subject) => self.#claims(subject) && { accountId: subject, claims: () => self.#claims(subject) },
      interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
      features: {
        devInteractions: { enabled: false },
        introspection: { enabled: true },
        revocation: { enabled: true },
        userinfo: { enabled: true },
        backchannelLogout: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => self.resource,
          useGrantedResource: () => true,
          getResourceServerInfo(_context, resource) {
            if (!/^(https?|api):/.test(resource)) throw new errors.InvalidTarget();
            return {
              scope: SCOPE,
              audience: resource,
              accessTokenFormat: self.format,
              accessTokenTTL: 300,
              jwt: { sign: { alg: self.algorithm } },
            };
          },
        },
      },
      // Nobody is asked: consent to whatever the request names.
      async loadExistingGrant({ oidc }) {
        const grant = new self.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope(oidc.params.scope ?? 'openid');
        grant.addOIDCClaims(['acr', 'amr', 'auth_time']);
        for (const resource of [oidc.params.resource ?? self.resource ?? []].flat()) grant.addResourceScope(resource, SCOPE);
        await grant.save();
        return grant;
      },
      extraTokenClaims({ oidc }, token) {
        const from = oidc.entities.AuthorizationCode ?? {};
        const sign_in = { acr: from.acr, amr: from.amr, auth_time: from.authTime };
        const known = Object.entries(sign_in).filter(([, value]) => value !== undefined);
        return { realm: { groups: self.people.get(token.accountId)?.groups ?? [] }, ...Object.fromEntries(known) };
      },
    };
  }

  // `login_hint` says who it is, `acr_values` how strongly.
  async #interaction(context, next) {
    if (!context.path.startsWith('/interaction/')) return next();
    const { params, prompt } = await this.provider.interactionDetails(context.req, context.res);
    const finish = (result) => this.provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: true });
    if (prompt.name === 'consent') return finish({ consent: {} });
    const person = params.login_hint ?? this.person;
    if (!this.people.has(person)) return finish({ error: 'access_denied', error_description: 'there is no such person' });
    const mfa = `${params.acr_values ?? ''}`.includes(ACR.mfa);
    return finish({
      login: { accountId: person, acr: mfa ? ACR.mfa : ACR.password, amr: mfa ? ['pwd', 'mfa'] : ['pwd'] },
    });
  }
}
