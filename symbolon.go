// Package symbolon holds the nouns of an OAuth 2 server that stands beside an
// API: accounts, apps, connections, the sealed values that travel between
// them, and the contract of the store that keeps what must be kept.
//
// A symbolon was a token broken in two: each side kept a half, and the halves
// proved the bond. Here one half is the connection, a row in the store; the
// other is a sealed value in the hands of an app. Nothing is stored per token.
//
// The package imports the standard library only. Everything else imports it:
//
//	symbolon ← seal ← oauth ← web ← cmd/symbolon
//	symbolon ← sqlite
//
// Start reading with Connection, then Store, then the package oauth, which has
// one method for each of the six steps.
package symbolon

// ScopeConnect is the scope that every endpoint of the page needs: it "allows
// connection to resources".
const ScopeConnect = "connect"
