package debugpage_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/debugpage"
)

const crowd = 15_000

// However many sessions there are, a page is small.
func TestPageOfACrowd(t *testing.T) {
	h := debugpage.Handler(many(crowd, "agents"))
	require.Less(t, get(t, h, "/").Body.Len(), 128<<10)
	require.Less(t, get(t, h, "/sessions?limit=1000").Body.Len(), 2<<20)
	last := decode[sessions](t, h, "/sessions?sort=oldest&limit=1000&offset=14500")
	require.Equal(t, []int{crowd, crowd, 500}, []int{last.Total, last.Matching, len(last.Sessions)})
}

func BenchmarkPageOfACrowd(b *testing.B) {
	h := debugpage.Handler(many(crowd, "agents"))
	for _, path := range []string{"/", "/sessions?limit=1000", "/?format=json&limit=1", "/sessions?q=9000"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			}
		})
	}
}
