// A single-page app by oidc-client-ts, which is told the issuer and who it is. Each
// page says in its heading what came of it.
const { issuer, client } = document.currentScript.dataset
const manager = new oidc.UserManager({
  authority: issuer,
  client_id: client,
  redirect_uri: location.origin + '/callback',
  post_logout_redirect_uri: location.origin + '/goodbye',
  scope: 'openid profile email',
  loadUserInfo: true, // from another origin
  revokeTokensOnSignout: true,
  automaticSilentRenew: false,
})

const say = (heading, text = '') => {
  document.querySelector('h1').textContent = heading
  document.querySelector('p').textContent = text
}
const offer = (name, what) => {
  const button = document.createElement('button')
  button.textContent = name
  button.onclick = () => what().catch((e) => say('Failed', String(e)))
  document.body.append(button)
}

const pages = {
  async '/'() {
    const user = await manager.getUser()
    if (!user) {
      say('Nobody')
      offer('Sign in', () => manager.signinRedirect({ state: { page: 'seven' } }))
      return
    }
    const { sub, name, email, email_verified } = user.profile
    say('Hello', JSON.stringify({ sub, name, email, email_verified, page: location.search }))
    offer('Renew', async () => {
      const fresh = await manager.signinSilent() // by the refresh token, without a page
      const another = (field) => fresh[field] !== user[field]
      const same = fresh.profile.sub === sub && fresh.profile.sid === user.profile.sid
      say('Renewed', JSON.stringify({ tokens: another('access_token') && another('refresh_token') && another('id_token'), same }))
    })
    offer('Leave', () => manager.signoutRedirect())
  },
  async '/callback'() {
    const user = await manager.signinCallback()
    location.replace('/?' + user.state.page)
  },
  async '/goodbye'() {
    await manager.signoutCallback() // it checks the state
    say((await manager.getUser()) ? 'Still here' : 'Goodbye')
  },
}
pages[location.pathname]().catch((e) => say('Failed', String(e)))
