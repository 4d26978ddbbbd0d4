package session

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// queued is a message of an outbox, as a model of it has it.
type queued struct {
	number, size int
	source       uint32
	inflight     bool
}

// outboxModel is an outbox beside a plain list of what it has to have.
type outboxModel struct {
	outbox
	r       *rand.Rand
	all     []queued // that were not sent
	unacked []int    // numbers of those that were, with kept
	begun   int      // bytes of the first
	number  int
	waits   map[*flushing]int // up to which number
}

// Whatever is withdrawn from an outbox at whatever moment: what is being written, was begun or is kept stays,
// the counts are right, and each Flush waits for exactly those that were queued before it and are left.
func TestWithdraw(t *testing.T) {
	for _, resumes := range []bool{false, true} {
		t.Run(fmt.Sprintf("resumes: %v", resumes), func(t *testing.T) {
			for seed := range uint64(20) {
				m := &outboxModel{r: rand.New(rand.NewPCG(seed, 1)), waits: make(map[*flushing]int)}
				if resumes {
					m.kept = &kept{cfg: &Config{Unacked: Buffer{Cap: 1 << 20, Bytes: 1 << 30}}}
				}
				for range 300 {
					m.step(t)
					m.check(t)
				}
			}
		})
	}
}

func (m *outboxModel) step(t *testing.T) {
	switch what := m.r.IntN(12); {
	case what < 5:
		q := queued{number: m.number, size: []int{1, 2, shareLimit + 1}[m.r.IntN(3)], source: uint32(m.r.IntN(3))}
		m.number++
		m.all = append(m.all, q)
		if payload := make([]byte, q.size); q.source == 0 {
			m.add(&plain, payload)
		} else {
			message := Share(payload)
			m.addShared(&plain, &message, q.source)
		}
	case what == 5:
		f := m.beginFlush()
		m.waits[f] = m.number
	case what == 6 && m.load() != nil:
		if !m.all[0].inflight {
			for i := range m.all {
				m.all[i].inflight = true
			}
		}
	case what == 7 && !m.inflight.empty():
		m.write()
	case what > 7:
		m.take(t)
	}
}

// write has the link take some bytes.
func (m *outboxModel) write() {
	n := 1 + m.r.IntN(m.inflight.wire-m.inflight.offset)
	m.sent(n)
	for m.begun += n; len(m.all) > 0 && m.begun >= plainHeader+m.all[0].size; m.all = m.all[1:] {
		m.begun -= plainHeader + m.all[0].size
		if m.kept != nil {
			m.unacked = append(m.unacked, m.all[0].number)
		}
	}
}

// take withdraws, perhaps while somebody writes.
func (m *outboxModel) take(t *testing.T) {
	source, writing := uint32(1+m.r.IntN(2)), m.r.IntN(2) == 0
	stays := func(q queued) bool {
		return q.source != source || q.inflight && (writing || m.kept != nil || m.begun > 0)
	}
	m.spoiled = 1
	firstGoes := len(m.all) > 0 && m.all[0].inflight && !stays(m.all[0])
	left := slices.DeleteFunc(slices.Clone(m.all), func(q queued) bool { return !stays(q) })
	removed := m.withdraw(func(of uint32) bool { return of == source }, writing)
	require.Equal(t, len(m.all)-len(left), removed)
	if m.all = left; firstGoes {
		require.Zero(t, m.spoiled, "no connection ended within the message that is the first now")
	} else {
		require.Equal(t, 1, m.spoiled)
	}
}

func (m *outboxModel) check(t *testing.T) {
	messages, bytes := 0, 0
	for _, q := range m.all {
		if m.kept == nil || !q.inflight {
			messages++
			bytes += q.size
		}
	}
	require.Equal(t, messages, m.messages)
	require.Equal(t, bytes, m.bytes)
	for f, before := range m.waits {
		left := 0
		for _, n := range m.unacked {
			if n < before {
				left++
			}
		}
		for _, q := range m.all {
			if q.number < before {
				left++
			}
		}
		require.Equal(t, left, f.left)
		select {
		case <-f.done:
			require.Zero(t, left)
			delete(m.waits, f)
		default:
			require.NotZero(t, left)
		}
	}
}

// What waits of a source is most often what was queued last. However much waits before it, that is not
// moved: a broadcast with Latest to those that read nothing, and have a large WriteBuffer, costs no more.
func TestWithdrawOfTheLastMovesNothing(t *testing.T) {
	for _, large := range []int{1, shareLimit + 1} {
		var o outbox
		for range 1000 {
			o.add(&plain, []byte("waits"))
		}
		before, wire := o.pending, o.pending.wire
		for range 3 {
			message := Share(make([]byte, large))
			o.addShared(&plain, &message, 7)
		}
		require.Equal(t, 3, o.withdraw(func(of uint32) bool { return of == 7 }, false))
		require.Same(t, before, o.pending)
		require.Equal(t, wire, o.pending.wire)
		require.Len(t, o.pending.buf, wire)
		require.Empty(t, o.pending.large)
		require.Equal(t, 1000, o.messages)
	}
}
