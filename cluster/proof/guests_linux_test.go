package proof

import (
	"context"
	"errors"
	"fmt"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/cluster"
)

// What clients and nodes say to each other, in words with spaces between them:
//
//	C <client> <name>             a client begins a session, and claims the name
//	N <number>                    a client's number: one more each time
//	W <node> <session>            a node's first words in a session
//	R <number> <of the client's>  its answer to N, with a number of its own
//	M <node> <name> <number>      what a node has sent to a name

// event is what a node does about its sessions. It runs on the event loop.
func (h *host) event(s *netasync.Session, ev netasync.Event) {
	switch ev.Kind {
	case netasync.Connected:
		if ev.Epoch == 1 {
			s.SetValue(&guest{})
		}
	case netasync.Message:
		if g, is := s.Value().(*guest); is {
			h.message(s, g, string(ev.Payload))
		}
	case netasync.Closed:
		g, is := s.Value().(*guest)
		if !is {
			return
		}
		r := report{Is: "closed", Name: g.name, Client: g.client, Session: s.ID(), Queued: ev.Queued, Lost: int(ev.Lost),
			Number: int(s.Stats().Accepted) - g.took}
		switch {
		case errors.Is(ev.Err, cluster.ErrReplaced):
			r.Outcome = "replaced"
		case ev.Err != nil:
			r.Text = ev.Err.Error()
		}
		h.tell(r)
	}
}

func (h *host) message(s *netasync.Session, g *guest, text string) {
	var number int
	switch {
	case text[0] == 'C':
		if _, err := fmt.Sscanf(text, "C %s %s", &g.client, &g.name); err != nil {
			h.wrong("%q: %v", text, err)
			return
		}
		h.say(s, g, fmt.Sprintf("W %s %d", h.Name, s.ID()))
		h.claim(s, g)
	case text[0] == 'N':
		if _, err := fmt.Sscanf(text, "N %d", &number); err != nil {
			h.wrong("%q: %v", text, err)
			return
		}
		// The first of a session may follow a gap: what went before it may be lost, and is told.
		if g.last > 0 && number != g.last+1 || number <= g.last {
			h.wrong("client %s: %d after %d in one session", g.client, number, g.last)
		}
		g.last = number
		if h.Ledger {
			h.tell(report{Is: "got", Client: g.client, Number: number, Session: s.ID()})
		}
		g.said++
		h.say(s, g, fmt.Sprintf("R %d %d", g.said, number))
	default:
		h.wrong("a client said %q", text)
	}
}

// say sends on the event loop, where Send does not wait. What a session that is closing does not take the node
// itself tells of, as the session does of what it has taken.
func (h *host) say(s *netasync.Session, g *guest, text string) {
	err := s.Send(context.Background(), []byte(text))
	if err == nil {
		g.took++
	} else if errors.Is(err, netasync.ErrClosed) {
		h.tell(report{Is: "refused", Client: g.client})
	} else {
		h.wrong("%q was not sent: %v", text, err)
	}
}

func (h *host) claim(s *netasync.Session, g *guest) {
	_, err := h.node.Claim(context.Background(), g.name, s, cluster.Replace)
	if err == nil {
		err = h.node.JoinAs(room, s, g.name, "")
	}
	if err != nil && !errors.Is(err, netasync.ErrClosed) && !errors.Is(err, cluster.ErrShutdown) {
		h.wrong("claim of %s: %v", g.name, err)
	}
}
