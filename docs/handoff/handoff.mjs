// The same site in JavaScript, with jose (npm install jose). Copy handoff() into your own
// site, and give it your own visitor().
//
//   KEY=handoff.pem LISTEN=127.0.0.1:8090 SYMBOLON=http://127.0.0.1:8080 node handoff.mjs
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { SignJWT, importPKCS8 } from 'jose'

const listen = process.env.LISTEN ?? '127.0.0.1:8090'
const symbolon = process.env.SYMBOLON ?? 'http://127.0.0.1:8080' // its base URL
const issuer = `http://${listen}` // of this site: the issuer in Symbolon's [handoff]
const key = await importPKCS8(readFileSync(process.env.KEY ?? 'handoff.pem', 'utf8'), 'ES256')

// Your own sessions: who is signed in in this browser, or null.
function visitor(request) {
  return { id: '4711', name: 'Ada Example', email: 'ada@example.com', emailVerified: true, signedIn: Math.floor(Date.now() / 1000) }
}

// The page that Symbolon sends people to: the url in its [handoff].
async function handoff(request, query) {
  const who = visitor(request)
  if (!who) {
    // Your own sign-in page, and then here again with the same query. Do so as well when
    // prompt=login, or when max_age says that the sign-in is too old.
    return [401, 'sign in first']
  }
  // return_to is for you to compare. Never send a statement to where a stranger's link says.
  const back = `${symbolon}/sign-in/handoff`
  if (!query.get('handoff') || query.get('return_to') !== back) {
    return [400, 'this link is not from our sign-in page']
  }
  const token = await new SignJWT({
    nonce: query.get('handoff'), auth_time: who.signedIn,
    name: who.name, email: who.email, email_verified: who.emailVerified,
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'handoff+jwt', kid: '2026-11' })
    .setIssuer(issuer).setAudience(symbolon).setSubject(who.id).setJti(randomUUID())
    .setIssuedAt().setExpirationTime('1m')
    .sign(key)
  // By a form, so that the statement is in no address.
  return [200, `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Continue</title>
<form method="post" action="${back}">
<input type="hidden" name="token" value="${token}">
<button>Continue</button>
</form>
<script>document.forms[0].submit()</script>
</html>
`]
}

createServer(async (request, response) => {
  const url = new URL(request.url, issuer)
  const [status, text] = url.pathname === '/handoff' ? await handoff(request, url.searchParams) : [404, 'nothing here']
  response.writeHead(status, { 'Content-Type': status === 200 ? 'text/html; charset=utf-8' : 'text/plain', 'Cache-Control': 'no-store' })
  response.end(text)
}).listen(Number(listen.split(':')[1]), listen.split(':')[0])
