package debugpage

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/netasync/netasync/session"
)

// details are all that is known of one session.
type details struct {
	Row
	Closed  *time.Time `json:"closed,omitempty"` // when, if it has
	Why     string     `json:"why,omitempty"`    // it has closed
	Local   string     `json:"local,omitempty"`
	RTT     string     `json:"rtt,omitempty"` // as TCP measures it
	TLS     []setting  `json:"tls,omitempty"`
	Figures []setting  `json:"figures"`
	Options []setting  `json:"options,omitempty"`
}

// setting is a name and its value.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// detailsOf finds a session by its ID, among those that have closed, too.
func detailsOf(source Source, which int, id uint64) (details, bool) {
	for s := range source.Sessions() {
		if s.ID() == id {
			return detailsOfOpen(s, which), true
		}
	}
	for _, c := range source.History().Closed() {
		if c.Session == id {
			return detailsOfClosed(&c, which), true
		}
	}
	return details{}, false
}

func detailsOfOpen(s *session.Session, which int) details {
	e := &entry{source: which, session: s, stats: s.Stats()}
	d := details{
		Row: rowOf(e), Local: s.LocalAddr().String(), Figures: figuresOf(&e.stats),
		Options: optionsOf(session.Drive(s).Config(), session.Drive(s).Dialed()),
	}
	if rtt, known := s.RTT(); known {
		d.RTT = rtt.Round(time.Microsecond).String()
	}
	if state, speaks := s.TLS(); speaks {
		d.TLS = tlsOf(&state)
	}
	return d
}

func detailsOfClosed(c *session.ClosedSession, which int) details {
	d := details{
		Row: rowOfStats(&c.Stats), Closed: &c.Closed, Why: textOf(c.Err), Figures: figuresOf(&c.Stats),
	}
	d.Source, d.ID, d.Name, d.Identity, d.Remote = which, c.Session, c.Name, c.Identity, c.Remote.String()
	d.Dialed, d.State = c.Dialed, session.StateClosed.String()
	return d
}

// textOf returns the text of an error, which may be none.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// figuresOf returns those of session.Stats that the table does not have.
func figuresOf(st *session.Stats) []setting {
	return settings(
		"connections", st.Epoch, "resumed", st.Resumed, "attempts", st.Attempts,
		"accepted", st.Accepted, "sent", st.Sent, "acked", st.Acked, "unacked", st.Unacked, "lost", st.Lost,
		"received", st.Received, "dropped", st.Dropped, "dropped inbound", st.DroppedInbound,
		"undeliverable", st.Undeliverable, "discarded", st.Discarded, "returned", st.Returned,
	)
}

// settings makes them of names and values.
func settings(pairs ...any) []setting {
	var all []setting
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, setting{fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1])})
	}
	return all
}

// optionsOf returns what the session was made by, with the defaults filled in.
func optionsOf(c *session.Config, dialed bool) []setting {
	consumer := "ReadChan, Recv or Events"
	switch {
	case c.Inline:
		consumer = "OnEvent, Inline"
	case c.OnEvent != nil:
		consumer = "OnEvent"
	}
	all := settings(
		"consumed by", consumer,
		"ReadBuffer", bufferText(&c.ReadBuffer), "WriteBuffer", bufferText(&c.WriteBuffer),
		"MaxPayload", bytesText(c.MaxPayload),
		"HeartbeatPeriod", c.HeartbeatPeriod, "HeartbeatTimeout", c.HeartbeatTimeout,
		"Linger", c.Linger, "WriteTimeout", orNone(c.WriteTimeout > 0, c.WriteTimeout),
		"MinRate", orNone(c.MinRate > 0, bytesText(c.MinRate)+" a second"),
		"Resume", c.Resume,
	)
	if c.Resume {
		all = append(all, settings("Unacked", bufferText(&c.Unacked), "ResendLost", c.ResendLost)...)
	}
	if dialed {
		all = append(all, settings("AwaitPeer", c.AwaitPeer, "WhileDown", [...]string{"Queue", "Refuse"}[c.WhileDown], "Hello", c.Hello != nil)...)
	}
	return all
}

func orNone(is bool, v any) any {
	if is {
		return v
	}
	return "none"
}

func bufferText(b *session.Buffer) string {
	policy := [...]string{"pushes back", "drops the newest", "drops the oldest"}[b.Policy]
	return fmt.Sprintf("%s messages, %s, %s", countText(b.Cap), bytesText(b.Bytes), policy)
}

// tlsOf returns what an operator wants to know of a TLS connection. The certificate is the peer's.
func tlsOf(state *tls.ConnectionState) []setting {
	all := settings(
		"version", tls.VersionName(state.Version), "cipher suite", tls.CipherSuiteName(state.CipherSuite),
		"resumed", state.DidResume,
	)
	if len(state.PeerCertificates) > 0 {
		peer := state.PeerCertificates[0]
		all = append(all, settings(
			"subject", peer.Subject, "issuer", peer.Issuer, "valid until", peer.NotAfter.UTC().Format(time.RFC3339),
		)...)
	}
	return all
}
