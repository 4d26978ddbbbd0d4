//go:build interop

package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netasync/netasync/e2e/testdata/interop"
)

// TestInteropResumePeers has the peers in other languages talk to each other and not to us, through
// a proxy that cuts all the time. It proves that docs/resume.md says all that there is to say.
func TestInteropResumePeers(t *testing.T) {
	for i, dialing := range interop.Languages {
		for j, listening := range interop.Languages {
			t.Run(dialing.Name+" to "+listening.Name, func(t *testing.T) {
				listener := listening.StartResume(t, "listen", "0")
				cutter := newCutter(t, listener.Port, uint64(2*i+j))
				dialer := dialing.StartResume(t, "connect", cutter.Port)
				heard := make(chan error, 2)
				talk := func(p *interop.Peer, says, hears interop.Origin) {
					if err := p.Say(interop.Lines(says, resumeLines)); err != nil {
						t.Errorf("tell the peer: %v", err)
					}
					go func() { heard <- hear(p, interop.Lines(hears, resumeLines)) }()
				}
				talk(listener, interop.FromUs, interop.FromPeer)
				talk(dialer, interop.FromPeer, interop.FromUs)
				for range 2 {
					if err := <-heard; err != nil {
						t.Fatal(err)
					}
				}
				cutter.calm()
				t.Logf("cuts: %v", cutter.cuts)
				if cuts := cutter.total(); cuts < 200 {
					t.Errorf("only %d cuts", cuts)
				}
				first := []*interop.Peer{dialer, listener}[(i+j)%2]
				first.HangUp()
				dialer.WantOver(t)
				listener.WantOver(t)
			})
		}
	}
}

// resumeLines is how many lines go each way.
const resumeLines = 4_000

// hear reads what a peer says until it has got all lines, once and in order, and its session has
// begun once.
func hear(p *interop.Peer, want []string) error {
	resumed := false
	for i := 0; i < len(want); {
		line, err := p.Next()
		if err != nil {
			return fmt.Errorf("after %d of %d messages: %w", i, len(want), err)
		}
		switch what, text, _ := strings.Cut(line, " "); {
		case what == "got" && text == want[i]:
			i++
		case line == "connected resumed=true":
			resumed = true
		case line == "connected resumed=false" && !resumed && i == 0, line == "lost 0":
		default:
			return fmt.Errorf("after %d of %d messages the peer says %.100q", i, len(want), line)
		}
	}
	return nil
}
