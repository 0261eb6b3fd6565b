// The MCP SDK's own authorization client against an MCP server of this script's,
// whose metadata names the issuer. Nobody registered it before: it says who it
// is by a document at a URL, or registers itself. It prints one line for each
// thing that worked, and ends with the first that did not.
import http from 'node:http'
import https from 'node:https'
import fs from 'node:fs'
import { auth, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'

const { ISSUER, CERT, KEY, JANE, STRICT } = process.env
const must = (what, condition) => {
  if (!condition) throw new Error('not so: ' + what)
  console.log('ok', what)
}
const listen = (server) => new Promise((go) => server.listen(0, '127.0.0.1', () => go(server.address().port)))

// The MCP server: it tells who may give tokens for it (RFC 9728).
let resource
const mcp = http.createServer((request, response) => {
  if (request.url.startsWith('/.well-known/oauth-protected-resource')) {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ resource, authorization_servers: [ISSUER], scopes_supported: ['connect'] }))
    return
  }
  response.statusCode = 401
  response.setHeader('www-authenticate', `Bearer resource_metadata="${resource.replace('/mcp', '/.well-known/oauth-protected-resource/mcp')}"`)
  response.end()
})
resource = `http://127.0.0.1:${await listen(mcp)}/mcp`

// The client's document, under https.
let documentURL
const redirect = 'http://127.0.0.1:8912/callback'
const metadata = (more = {}) => ({
  client_name: 'MCP test client', redirect_uris: [redirect], grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'], token_endpoint_auth_method: 'none', ...more,
})
const site = https.createServer({ cert: fs.readFileSync(CERT), key: fs.readFileSync(KEY) }, (request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ client_id: documentURL, client_uri: documentURL, ...metadata() }))
})
documentURL = `https://127.0.0.1:${await listen(site)}/client.json`

// provider keeps what the SDK hands it.
function provider(more) {
  const kept = {}
  return {
    kept,
    get redirectUrl() { return redirect },
    get clientMetadata() { return metadata(kept.metadata) },
    state: () => 'state',
    clientInformation: () => kept.client,
    saveClientInformation: (client) => { kept.client = client },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => { kept.tokens = tokens },
    redirectToAuthorization: (url) => { kept.url = url },
    saveCodeVerifier: (verifier) => { kept.verifier = verifier },
    codeVerifier: () => kept.verifier,
    ...more,
  }
}

async function connect(name, p) {
  const first = await fetch(resource, { method: 'POST' })
  const { resourceMetadataUrl } = extractWWWAuthenticateParams(first)
  must(`${name}: it is asked for permission`, (await auth(p, { serverUrl: resource, resourceMetadataUrl })) === 'REDIRECT')
  must(`${name}: it asks for the server's own URL`, p.kept.url.searchParams.get('resource') === resource)
  const r = await fetch(p.kept.url, { redirect: 'manual' })
  const to = r.headers.get('location')
  if (!to) throw new Error(`${r.status}: ${(await r.text()).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').slice(0, 500)}`)
  const back = new URL(to)
  must(`${name}: the answer says who gives it`, back.searchParams.get('iss') === ISSUER && back.searchParams.get('state') === 'state')
  const code = back.searchParams.get('code')
  must(`${name}: a token`, (await auth(p, { serverUrl: resource, resourceMetadataUrl, authorizationCode: code })) === 'AUTHORIZED')
  const before = p.kept.tokens
  must(`${name}: with a refresh token`, before.refresh_token && before.token_type === 'Bearer')
  must(`${name}: a refresh`, (await auth(p, { serverUrl: resource, resourceMetadataUrl })) === 'AUTHORIZED' && p.kept.tokens.access_token !== before.access_token)
  // A token for the MCP server is good nowhere else.
  const info = await fetch(ISSUER + '/info', { headers: { authorization: 'Bearer ' + p.kept.tokens.access_token } })
  must(`${name}: not for another API`, info.status === 401)
}

const byDocument = provider({ clientMetadataUrl: documentURL })
await connect('a document', byDocument)
must('a document: its URL is the client_id', byDocument.kept.url.searchParams.get('client_id') === documentURL)

const registered = provider({})
await connect('registration', registered)
must('registration: an id of its own', /^sym_/.test(registered.kept.client.client_id) && registered.kept.url.searchParams.get('client_id') === registered.kept.client.client_id)

const withSecret = provider({})
withSecret.kept.metadata = { token_endpoint_auth_method: 'client_secret_basic' }
await connect('registration with a secret', withSecret)
must('registration with a secret: it has one', withSecret.kept.client.client_secret)

mcp.close(); site.close()
mcp.closeAllConnections(); site.closeAllConnections()
console.log('done')
