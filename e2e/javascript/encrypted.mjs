// openid-client, which decrypts what only it can read: ID tokens and userinfo.
import * as client from 'openid-client'

const { ISSUER, REDIRECT_URI, JANE, APPS } = process.env
const insecure = { execute: [client.allowInsecureRequests] } // the demo speaks http on loopback

const must = (what, condition) => {
  if (!condition) throw new Error('not so: ' + what)
  console.log('ok', what)
}

for (const { id, secret, key, alg, enc, kid } of JSON.parse(APPS)) {
  const how = `${alg} ${enc}`
  const kind = alg.startsWith('RSA') ? { name: 'RSA-OAEP', hash: 'SHA-256' } : { name: 'ECDH', namedCurve: 'P-256' }
  const usages = alg.startsWith('RSA') ? ['decrypt', 'unwrapKey'] : ['deriveBits']
  const own = await crypto.subtle.importKey('pkcs8', Buffer.from(key, 'base64'), kind, false, usages)
  const metadata = { id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256' }
  const config = await client.discovery(new URL(ISSUER), id, metadata, client.ClientSecretBasic(secret), insecure)
  must(`${how} is offered`, config.serverMetadata().id_token_encryption_alg_values_supported.includes(alg) && config.serverMetadata().userinfo_encryption_enc_values_supported.includes(enc))
  client.enableDecryptingResponses(config, [enc], { key: own, alg, kid })

  const nonce = client.randomNonce()
  const verifier = client.randomPKCECodeVerifier()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI, scope: 'openid email', nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  })
  const back = await fetch(url, { redirect: 'manual' })
  const tokens = await client.authorizationCodeGrant(config, new URL(back.headers.get('location')), { pkceCodeVerifier: verifier, expectedNonce: nonce })
  must(`${how}: it is encrypted`, tokens.id_token.split('.').length === 5)
  must(`${how}: and says who`, tokens.claims().sub === JANE && tokens.claims().nonce === nonce)
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
  must(`${how}: after a refresh`, fresh.id_token.split('.').length === 5 && fresh.claims().sub === JANE)
  const info = await client.fetchUserInfo(config, fresh.access_token, JANE)
  must(`${how}: userinfo`, info.email === 'jane.doe@example.com')

  // What comes back as a hint is what was inside.
  const hint = async (text) => (await fetch(client.buildAuthorizationUrl(config, { redirect_uri: REDIRECT_URI, scope: 'openid', id_token_hint: text }), { redirect: 'manual' })).headers.get('location')
  must(`${how}: as a hint, opened`, (await hint(client.getDecryptedResponses(tokens).id_token.token_endpoint)).includes('code='))
  must(`${how}: as a hint, closed`, (await hint(tokens.id_token)).includes('error=invalid_request'))
}
console.log('done')
