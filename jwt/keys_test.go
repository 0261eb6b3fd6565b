package jwt

import (
	"crypto/ed25519"
	"testing"
)

func newEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	check(t, err)
	return private
}
