package cli

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/netasync/netasync/debugpage"
)

// debugPath is where the page is.
const debugPath = "/debug/netasync/"

// Debug serves the page of package debugpage until stop is called, and tells where. Without an address
// it does nothing. It asks for the sources at each request.
func Debug(addr string, out io.Writer, sources func() []debugpage.Source) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("flag -debug: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(debugPath, func(w http.ResponseWriter, r *http.Request) {
		debugpage.Handler(sources()...).ServeHTTP(w, r)
	})
	mux.Handle("/", http.RedirectHandler(debugPath, http.StatusFound))
	server := &http.Server{Handler: mux}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ln) })
	fmt.Fprintf(out, "debug http://%s%s\n", ln.Addr(), debugPath)
	return func() {
		_ = server.Close()
		serving.Wait()
	}, nil
}
