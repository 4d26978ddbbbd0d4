package session

import (
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/internal/testkit"
)

// talk is a session with Resume inside a bubble, and its peer, which is the test.
type talk struct {
	t       *testing.T
	s       *Session
	dialer  *fakeDialer
	keep    resume.Keep // what the peer keeps
	number  uint64      // of the last connection of an accepted session
	c       *Conn
	link    *fakeLink
	seen    int // bytes of the link that the test has looked at
	control bool
}

// newTalk returns a session without a connection. The default of Unacked is that of the options.
func newTalk(t *testing.T, dialed bool, change func(*Config)) *talk {
	k := &talk{t: t, keep: resume.Keep{Messages: 16384, Bytes: 4 << 20}}
	k.s, k.dialer = newFake(t, true, func(c *Config) {
		c.Resume, c.Unacked = true, Buffer{Cap: 16384}
		if change != nil {
			change(c)
		}
		var err error
		c.Unacked, err = c.Unacked.Resolve("Unacked", 4<<20)
		require.NoError(t, err)
	})
	k.dialer.redials = make(chan bool, 1000)
	if dialed {
		Drive(k.s).Resumable(0, resume.Keep{})
	} else {
		k.number = 1
		Drive(k.s).Resumable(1, k.keep)
	}
	return k
}

// connected is newTalk with a first connection.
func connected(t *testing.T, dialed bool, change func(*Config)) *talk {
	k := newTalk(t, dialed, change)
	k.connect(false, 0)
	return k
}

// connect makes a connection. The peer has received so many messages, or knows nothing of the session.
func (k *talk) connect(continued bool, received uint64) (ours uint64) {
	k.t.Helper()
	return k.connectBy(newFakeLink(unbounded), continued, received)
}

func (k *talk) connectBy(link *fakeLink, continued bool, received uint64) (ours uint64) {
	k.t.Helper()
	d := Drive(k.s)
	if k.s.dialed() {
		require.True(k.t, d.Dialing())
		hello := d.Greeting()
		ours = hello.Received
		require.NoError(k.t, d.Welcomed(&resume.Welcome{
			Version: resume.Version, Continued: continued, Received: received, Keep: k.keep, Token: []byte("token"),
		}))
		k.attach(link, 0)
		return ours
	}
	if continued {
		k.number++
		var err error
		ours, err = d.Claim(k.t.Context(), k.number, received, k.keep)
		require.NoError(k.t, err)
	}
	k.attach(link, k.number)
	return ours
}

func (k *talk) attach(link *fakeLink, number uint64) {
	k.t.Helper()
	k.link, k.seen, k.control = link, 0, false
	k.c = Drive(k.s).Attach(link, number)
	require.NotNil(k.t, k.c)
}

// says feeds what the peer says. An error ends the connection, as engines do.
func (k *talk) says(frames ...[]byte) error {
	k.t.Helper()
	for _, p := range frames {
		rest, _, err := k.c.Feed(p, false)
		if err != nil {
			k.c.End(err)
			return err
		}
		require.Empty(k.t, rest)
	}
	return nil
}

// controlFrame returns a control frame with that body.
func controlFrame(body []byte) []byte { return testkit.Frames("", string(body)) }

func ackOf(n uint64) []byte { return controlFrame(resume.AppendAck(nil, n)) }
func byeOf(n uint64) []byte { return controlFrame((&resume.Bye{Sent: n}).Append(nil)) }
func question() []byte      { return controlFrame(resume.AppendQuestion(nil)) }
func frame(m string) []byte { return testkit.Frames(m) }
func messages(n int) []byte { return testkit.Frames(testkit.Texts(n)...) }

// sends sends texts.
func (k *talk) sends(texts ...string) {
	k.t.Helper()
	for _, m := range texts {
		require.NoError(k.t, k.s.Send(k.t.Context(), []byte(m)))
	}
}

// hears returns what was written since it was called last: messages, and control frames as their
// kind and number. All goroutines have come to rest before.
func (k *talk) hears() (said []string) {
	k.t.Helper()
	synctest.Wait()
	wire := k.link.written()[k.seen:]
	for len(wire) >= 4 {
		n := 4 + int(binary.BigEndian.Uint32(wire))
		if n > len(wire) {
			break
		}
		payload := wire[4:n]
		wire = wire[n:]
		k.seen += n
		switch {
		case len(payload) == 0:
			require.False(k.t, k.control, "two empty frames")
			k.control = true
			continue
		case !k.control:
			said = append(said, string(payload))
			continue
		}
		k.control = false
		m, err := resume.Parse(payload)
		require.NoError(k.t, err)
		switch m.Kind {
		case resume.KindAck:
			said = append(said, fmt.Sprint("A ", m.Received))
		case resume.KindBye:
			said = append(said, fmt.Sprint("B ", m.Bye.Sent))
		default:
			said = append(said, string(m.Kind))
		}
	}
	return said
}

// cut loses the connection.
func (k *talk) cut() {
	k.link.Close()
	k.c.End(errCut)
	synctest.Wait()
}

// next returns the next event that is no message.
func (k *talk) next() Event {
	k.t.Helper()
	for {
		if ev := recv(k.t, k.s); ev.Kind != Message {
			return ev
		}
	}
}

// accountsAddUp checks the accounts of a session with Resume.
func accountsAddUp(t *testing.T, s *Session) Stats {
	t.Helper()
	st := s.Stats()
	sum := st.Acked + uint64(st.Unacked) + st.Lost + uint64(st.Queued) + st.Dropped - st.DroppedInbound +
		st.Discarded + st.Returned
	if st.Accepted != sum {
		t.Errorf("accepted %d, accounted for %d: %+v", st.Accepted, sum, st)
	}
	return st
}

// withoutControl returns the messages of what was heard.
func withoutControl(said []string) (texts []string) {
	for _, m := range said {
		if !(len(m) > 2 && (m[:2] == "A " || m[:2] == "B ")) && m != "Q" {
			texts = append(texts, m)
		}
	}
	return texts
}

// end ends the session, and checks its accounts. It returns Closed.
func (k *talk) end() Event {
	k.t.Helper()
	k.s.CloseNow(nil)
	<-k.s.Done()
	return k.closed()
}

// closed reads until Closed, and checks the accounts.
func (k *talk) closed() Event {
	k.t.Helper()
	for {
		ev := k.next()
		if ev.Kind != Closed {
			continue
		}
		st := accountsAddUp(k.t, k.s)
		require.Equal(k.t, st.Queued, ev.Queued)
		require.Zero(k.t, st.Unacked)
		return ev
	}
}

// pair returns two sessions with Resume that are connected, in a world without faults, and change as
// they are told.
func pair(t *testing.T, near, far func(*Config)) (w *resumeWorld, dialed, accepted *Session) {
	configs := [2]*Config{}
	for i, change := range []func(*Config){near, far} {
		configs[i] = &Config{
			Start: time.Now(), HeartbeatPeriod: time.Second, HeartbeatTimeout: 4 * time.Second, Linger: 10 * time.Second,
			MaxPayload: codec.DefaultMaxPayload, Host: fakeHost{}, Resume: true, Greets: true,
			Unacked: Buffer{Cap: 16384, Bytes: 4 << 20}, ReadBuffer: Buffer{Cap: 1000, Bytes: 1 << 20},
			WriteBuffer: Buffer{Cap: 1000, Bytes: 4 << 20},
		}
		if change != nil {
			change(configs[i])
		}
	}
	w = newResumeWorld(t, configs[0], configs[1])
	w.work.Go(w.dial)
	accepted = <-w.accepted
	require.NoError(t, w.near.WaitConnected(t.Context()))
	synctest.Wait()
	return w, w.near, accepted
}

// close ends a world without faults.
func (w *resumeWorld) close(accepted *Session) {
	w.near.CloseNow(nil)
	accepted.CloseNow(nil)
	w.stop()
	w.work.Wait()
}
