// Package bearer is what an API imports to take access tokens: it checks them,
// says whose they are, and refuses the rest as the RFCs ask.
//
//	v, err := bearer.New(bearer.Options{
//		Issuer:   "https://auth.example.com",
//		Resource: "https://api.example.com",
//	})
//	http.Handle("/orders", v.Handler(orders, "orders:read"))
//	http.Handle("/.well-known/oauth-protected-resource", v.Metadata())
//
// In the handler, FromContext returns the Token: account, app and scopes.
//
// # How a token is checked
//
// A JWT access token (RFC 9068) is checked here, with the server's published
// keys, when Resource or Audience says what it must be for. It then counts until
// it expires, even if its connection was ended meanwhile; Options.AlwaysAsk asks
// the server about it as well. Every other token is shown to the server
// (introspection, RFC 7662), which needs ClientID and ClientSecret; the answer is
// kept for 5 s at most, and a refusal for 1 s.
//
// Where the server is and what it offers is read from its metadata (RFC 8414) at
// the first request that needs it, so an API may start before its server.
//
// # What a caller is answered
//
// 401 without an error code when no token was sent, 400 when it was sent twice,
// 401 invalid_token, 403 insufficient_scope (RFC 6750 §3.1), and 503 with
// Retry-After when the server is needed and away: never 401, which would make an
// app throw a good token away.
//
// # How the person must have signed in
//
// StepUp, within Handler, demands for what is delicate that the person signed in
// lately, or by more than a password (RFC 9470):
//
//	pay := v.StepUp(bearer.SignIn{ACR: []string{"2", "phr"}, MaxAge: 10 * time.Minute}, payments)
//	http.Handle("/payments", v.Handler(pay, "payments"))
//
// Other callers are answered 401 insufficient_user_authentication with what to send
// in a new authorization request. CheckSignIn is the same for a handler that has to
// read the request first.
//
// # Bound tokens
//
// A token that is bound to a key is taken with a DPoP proof (RFC 9449 §7) or over
// the TLS connection of its certificate (RFC 8705 §3) only. Proofs are remembered
// in this process for as long as they are good; of several processes, each takes
// a proof once.
//
// The package imports the standard library and go-jose. It keeps to semantic
// versioning, whatever becomes of the rest of the module.
package bearer
