package bearer_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/symbolon/symbolon/bearer"
)

// An API, protected in ten lines.
func Example() {
	v, err := bearer.New(bearer.Options{
		Issuer:       "https://auth.example.com",
		Resource:     "https://api.example.com",
		ClientID:     "sym_app_orders", // the API's own, for tokens that only the server can read
		ClientSecret: "from a file or the environment",
	})
	if err != nil {
		log.Fatal(err)
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := bearer.FromContext(r.Context())
		fmt.Fprintf(w, "the orders of %s, for %s\n", token.Subject, token.ClientID)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Handler(orders, "connect"))
	mux.Handle(v.MetadataPath(), v.Metadata())
	fmt.Println(v.MetadataPath())
	// log.Fatal(http.ListenAndServe("127.0.0.1:8081", mux))

	// Output: /.well-known/oauth-protected-resource
}

// A token that came by another way than HTTP.
func ExampleVerifier_Check() {
	v, err := bearer.New(bearer.Options{Issuer: "https://auth.example.com", Resource: "https://api.example.com"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = v.Check(context.Background(), "not a token")
	fmt.Println(err)

	// Output: bearer: The access token is malformed.
}
