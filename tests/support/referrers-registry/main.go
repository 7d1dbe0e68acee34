// A registry with the referrers API (OCI distribution-spec 1.1), which docker-registry 2 does not have. It is the one of
// go-containerregistry, whose program `crane registry serve` has that API turned off.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(os.Stderr, "", 0)))
	log.Fatal(http.ListenAndServe(os.Args[1], handler))
}
