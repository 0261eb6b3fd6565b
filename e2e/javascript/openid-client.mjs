// openid-client, told nothing but the issuer's URL and who it is. It prints one
// line for each thing that worked, and ends with the first that did not.
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PUBLIC_ID, REDIRECT_URI, JANE } = process.env
const issuer = new URL(ISSUER)
const insecure = { execute: [client.allowInsecureRequests] } // the demo speaks http on loopback

const ok = (what) => console.log('ok', what)
const must = (what, condition) => {
  if (!condition) throw new Error('not so: ' + what)
  ok(what)
}

// step sends what a browser would, to where no person needs to be asked.
async function callback(url) {
  const r = await fetch(url, { redirect: 'manual' })
  const to = r.headers.get('location')
  if (!to) throw new Error(`${url.pathname} answers ${r.status}: ${await r.text()}`)
  return new URL(to)
}

async function codeGrant(config, extra = {}, options) {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const parameters = {
    redirect_uri: REDIRECT_URI, scope: 'connect', state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...extra,
  }
  const url = options?.par
    ? await client.buildAuthorizationUrlWithPAR(config, parameters, options.dpop && { DPoP: options.dpop })
    : client.buildAuthorizationUrl(config, parameters)
  return client.authorizationCodeGrant(config, await callback(url), { pkceCodeVerifier: verifier, expectedState: state },
    undefined, options?.dpop && { DPoP: options.dpop })
}

for (const algorithm of ['oauth2', 'oidc']) {
  await client.discovery(issuer, CLIENT_ID, CLIENT_SECRET, undefined, { ...insecure, algorithm })
  ok('discovery as ' + algorithm)
}
for (const [name, method] of [['Basic', client.ClientSecretBasic(CLIENT_SECRET)], ['body', client.ClientSecretPost(CLIENT_SECRET)]]) {
  const config = await client.discovery(issuer, CLIENT_ID, undefined, method, { ...insecure, algorithm: 'oauth2' })
  const tokens = await codeGrant(config)
  must(`a code by ${name}`, tokens.access_token && tokens.refresh_token && tokens.expires_in > 0 && tokens.scope === 'connect')
  const info = await client.fetchProtectedResource(config, tokens.access_token, new URL('/info', issuer), 'GET')
  must(`the API by ${name}`, (await info.json()).id === JANE)
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
  must(`a refresh by ${name}`, fresh.refresh_token !== tokens.refresh_token)
  const said = await client.tokenIntrospection(config, fresh.access_token)
  must(`introspection by ${name}`, said.active && said.sub === JANE && said.client_id === CLIENT_ID)
  await client.tokenRevocation(config, fresh.refresh_token)
  must(`revocation by ${name}`, !(await client.tokenIntrospection(config, fresh.access_token)).active)
  must(`client credentials by ${name}`, (await client.clientCredentialsGrant(config, { scope: 'connect' })).access_token)
}

const config = await client.discovery(issuer, CLIENT_ID, CLIENT_SECRET, undefined, { ...insecure, algorithm: 'oauth2' })
const plain = await client.discovery(issuer, PUBLIC_ID, undefined, client.None(), { ...insecure, algorithm: 'oauth2' })
must('a code without a secret', (await codeGrant(plain)).refresh_token)

if (process.env.PAR) must('a pushed request', (await codeGrant(config, {}, { par: true })).access_token)

if (process.env.DPOP) {
  const dpop = client.getDPoPHandle(plain, await client.randomDPoPKeyPair('ES256'))
  const bound = await codeGrant(plain, {}, { dpop, par: !!process.env.PAR })
  must('a token bound to a key', bound.token_type === 'dpop')
  const r = await client.fetchProtectedResource(plain, bound.access_token, new URL('/info', issuer), 'GET', undefined, undefined, { DPoP: dpop })
  must('the API with a bound token', r.status === 200)
  const again = await client.refreshTokenGrant(plain, bound.refresh_token, undefined, { DPoP: dpop })
  must('a refresh with the key', again.token_type === 'dpop')
  const other = client.getDPoPHandle(plain, await client.randomDPoPKeyPair('ES256'))
  const refusal = await client.refreshTokenGrant(plain, again.refresh_token, undefined, { DPoP: other }).catch((e) => e)
  must('no refresh with another key', refusal.error === 'invalid_grant')
}

const pending = await client.initiateDeviceAuthorization(config, { scope: 'connect' })
must('a device code', pending.user_code && pending.verification_uri_complete.includes(pending.user_code))

const wrong = await client.refreshTokenGrant(config, 'sym_rt_nonsense').catch((e) => e)
must('a refusal that the client understands', wrong.error === 'invalid_grant' && wrong.status === 400)
console.log('done')
