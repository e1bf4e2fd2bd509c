// An OpenID Connect provider for the tests: node provider.mjs PORT REDIRECT_URI AUDIENCE [KEY CERTIFICATE].
// Prints "ready". It signs anybody in as the name that is typed, and everybody agrees to everything.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const [port, redirect, audience, key, cert] = process.argv.slice(2);
const issuer = key ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
const groups = { ann: ['pacs-readers'], boss: ['pacs-admins', 'pacs-readers'], nobody: ['others'] };
const keys = JSON.parse(readFileSync(0, 'utf8')); // the private keys, from the test

const provider = new Provider(issuer, {
  jwks: { keys },
  clients: [
    { client_id: 'galena', client_secret: 'a secret of the client, for tests', redirect_uris: [redirect],
      grant_types: ['authorization_code'], response_types: ['code'] },
    { client_id: 'robot', client_secret: 'robot secret', redirect_uris: [], response_types: [],
      grant_types: ['client_credentials'] },
  ],
  pkce: { required: () => true, methods: ['S256'] },
  claims: { openid: ['sub'], profile: ['preferred_username', 'roles'] },
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => false,
      getResourceServerInfo: () => ({ scope: '', audience, accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } } }),
    },
  },
  extraTokenClaims: (ctx, token) => (token.clientId === 'robot'
    ? { preferred_username: 'robot', roles: ['pacs-readers'] } : undefined),
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, roles: groups[id] ?? [] }),
  }),
  cookies: { keys: ['for the tests alone'] },
});
const ready = () => console.log('ready');
if (key) {
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, provider.callback());
  server.listen(Number(port), 'localhost', ready);
} else {
  provider.listen(Number(port), '127.0.0.1', ready);
}
