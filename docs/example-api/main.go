// Command example-api is an API that takes the access tokens of a Symbolon
// server. What protects it are the ten lines of protect; the rest is the API's
// own.
//
// The environment says where the server is and who this API is there: ISSUER,
// CLIENT_ID and CLIENT_SECRET. LISTEN is where it listens, 127.0.0.1:8081 when
// it is not set.
package main

import (
	"cmp"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/symbolon/symbolon/bearer"
)

func main() {
	listen := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8081")
	api, err := protect(bearer.Options{
		Issuer:       os.Getenv("ISSUER"),
		Resource:     "http://" + listen, // how apps name this API
		TakeUnnamed:  true,               // it is the server's only one, so apps need not name it
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		Log:          slog.Default(), // says why, when the server cannot be asked
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: listen, Handler: api, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// protect puts the API behind a check of tokens.
func protect(o bearer.Options) (http.Handler, error) {
	v, err := bearer.New(o)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Handler(http.HandlerFunc(orders), "connect"))
	mux.Handle("POST /orders", v.Handler(http.HandlerFunc(orders), "connect", "orders:write"))
	// What cannot be undone: the person has signed in within the last ten minutes, by
	// more than a password.
	remove := v.StepUp(bearer.SignIn{ACR: []string{"2", "phr"}, MaxAge: 10 * time.Minute}, http.HandlerFunc(orders))
	mux.Handle("DELETE /orders", v.Handler(remove, "connect"))
	mux.Handle(v.MetadataPath(), v.Metadata())
	return mux, nil
}

// orders is the API itself. It knows whose request it is, and through which app
// it comes.
func orders(w http.ResponseWriter, r *http.Request) {
	token := bearer.FromContext(r.Context())
	fmt.Fprintf(w, "The orders of account %s, for app %s.\n", token.Subject, token.ClientID)
}
