package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// StartResume runs the peer that speaks resumption, which listens on or connects to a port, and
// returns when it is about to.
func (l Language) StartResume(t *testing.T, role, port string) *Peer {
	t.Helper()
	p := l.run(t, l.resume, role, port)
	t.Cleanup(func() { // a session that is not over keeps it
		p.killed = p.killed || t.Failed()
		if p.killed {
			p.command.Process.Kill()
		}
	})
	return p
}

// Next returns the next line. It fails when the peer has ended, or says nothing for too long.
func (p *Peer) Next() (line string, err error) {
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	select {
	case line, open := <-p.lines:
		if !open {
			<-p.ended
			return "", fmt.Errorf("peer ended (%v)\n%s", p.failure, p.stderr.String())
		}
		return line, nil
	case <-patience.C:
		return "", fmt.Errorf("peer has said nothing for %v", Patience)
	}
}

// Say gives the peer messages to send, a line each.
func (p *Peer) Say(messages []string) error {
	_, err := fmt.Fprintln(p.stdin, strings.Join(messages, "\n"))
	return err
}

// HangUp ends the peer's stdin: its session is over when all of its messages have arrived.
func (p *Peer) HangUp() { p.stdin.Close() }

// WantOver wants the session to be over and the peer to end well.
func (p *Peer) WantOver(t *testing.T) {
	t.Helper()
	p.Want(t, "over")
	for range p.lines {
	}
	<-p.ended
	if p.failure != nil {
		t.Errorf("peer ended badly: %v\n%s", p.failure, p.stderr.String())
	} else if wrong := p.stderr.String(); wrong != "" {
		t.Errorf("the peer had something wrong to read: %s", wrong)
	}
}

// Lines is a plan for the peers that speak resumption: position and direction can be told from a
// line. Some are longer than most connections live.
func Lines(origin Origin, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		size := i * 7919 % 300
		if i%500 == 250 {
			size = 20_000
		}
		lines[i] = fmt.Sprintf("%d %d ", origin, i) + strings.Repeat("=", size)
	}
	return lines
}
