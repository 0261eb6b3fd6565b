package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// The demo believes one issuer's statements about people, so that the JWT bearer
// grant can be tried (RFC 7523 §2.1). Its private key lies in the data directory:
// whoever runs the demo is that issuer.
const (
	sandboxIssuer    = "https://login.example.com"
	sandboxIssuerKey = "issuer.pem"
)

// trusted returns the demo's issuer, whose key is made when it is missing.
func (b *sandbox) trusted(dir string) (oauth.TrustedIssuer, error) {
	issuer := oauth.TrustedIssuer{Issuer: sandboxIssuer, ByUsername: true}
	path := filepath.Join(dir, sandboxIssuerKey)
	key, err := readIssuerKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeIssuerKey(path)
	}
	if err != nil {
		return issuer, mend(fmt.Errorf("%s cannot be used: %w", path, err), "remove it: the demo then makes a new one")
	}
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "x": base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
	}}})
	if err != nil {
		return issuer, err
	}
	issuer.Keys, err = jwt.ParseSet(set)
	return issuer, err
}

func readIssuerKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not a PEM file")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it is not a private key")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("it is not an Ed25519 key")
	}
	return key, nil
}

func makeIssuerKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, replaceFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
