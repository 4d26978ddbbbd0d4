//go:build linux

package attack

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

const (
	// momentary is how long an attack lasts without the flag, and fewer what its size is divided by.
	momentary = 200 * time.Millisecond
	fewer     = 5
	// The p99 of ours is at most so many times that of package net, and so much more.
	timesPlain = 5
	plusPlain  = 50 * time.Millisecond
	// spareDescriptors is what a server may have open beside two for each connection: one that leaves
	// its event loop takes a second one for a moment.
	spareDescriptors = 64
)

// outcome is what one attack on one server cost.
type outcome struct {
	quiet50, quiet99, p50, p99 time.Duration // of honest answers, before and meanwhile
	newcomer                   time.Duration // the longest that one waited
	newcomers, refused         int           // who came in meanwhile, and how often they were sent away
	memory, descriptors        int           // the most, beside what was taken before
	made                       int           // connections of the attack
	lost                       []error       // honest clients that were not answered
}

// Half headers, dribblers, announcers, never-readers, floods, resets, and those who waste a server's
// time with TLS: no message of an honest client is lost, newcomers get in, memory is bounded, no
// descriptor is left. With the flag, answers come in time, too: as measured beside a server that
// is written by hand around package net, under the same attack.
func TestAttacks(t *testing.T) {
	if *duration == 0 {
		t.Parallel() // nothing is compared
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "attack\tserver\ttries\tp50 before\tp99 before\tp50\tp99 (least-most)\tbound\tnewcomer\tin\trefused\tMiB\tbound\tfiles\tmade\tlost")
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) { a.compare(t, w) })
	}
	require.NoError(t, w.Flush())
	t.Logf("%v each; medians\n%s", max(*duration, momentary), table.String())
}

// compare makes an attack on all servers in turn, and judges. Where honest clients of ours had to wait
// for too long, somebody else may have had the machine: there is another try or two.
func (a attack) compare(t *testing.T, table *tabwriter.Writer) {
	servers := []string{listener, handler, plain}
	if *duration == 0 {
		servers = servers[:1]
		a.conns = max(1, a.conns/fewer)
	}
	all := make(map[string][]outcome)
	for try := 0; try < *tries || try < *tries+2 && !a.inTime(all); try++ {
		for i := range servers {
			server := servers[(i+try)%len(servers)]
			all[server] = append(all[server], a.on(t, server))
		}
	}
	for _, server := range servers {
		if server != plain {
			a.judge(t, server, all[server])
		}
		a.tell(table, server, all)
	}
	assert.True(t, a.inTime(all), "p99 of honest clients is over %v", limit(all))
}

// judge compares outcomes of one of our servers with what is promised.
func (a attack) judge(t *testing.T, server string, tries []outcome) {
	for _, o := range tries {
		assert.Empty(t, o.lost, "%s: messages of honest clients", server)
		assert.LessOrEqual(t, o.descriptors, 2*a.conns+spareDescriptors, "%s: descriptors", server)
		if !raceDetector {
			assert.LessOrEqual(t, o.memory, a.bound(server), "%s: bytes of memory", server)
		}
	}
}

// inTime reports whether our servers have answered honest clients in time.
func (a attack) inTime(all map[string][]outcome) bool {
	if *duration == 0 || raceDetector {
		return true // there is nothing to compare with
	}
	for _, server := range []string{listener, handler} {
		if median(all[server], p99) > limit(all) {
			return false
		}
	}
	return true
}

// limit is what p99 of ours may be.
func limit(all map[string][]outcome) time.Duration {
	return timesPlain*median(all[plain], p99) + plusPlain
}

func p99(o outcome) time.Duration { return o.p99 }

// bound returns how many bytes the attack may cost a server of ours.
func (a attack) bound(server string) int {
	bound := a.conns*a.memory + slack
	if a.all != nil {
		bound += a.all(server)
	}
	return bound
}

// on makes an attack on one server.
func (a attack) on(t *testing.T, server string) (o outcome) {
	r := role{Play: server, Addr: "127.0.0.1:0"}
	hostile := role{Play: "attack", Attack: a.name, Conns: a.conns}
	var config *tls.Config
	if a.tls {
		ours, honest, stranger := issue(t)
		r.TLS, config, hostile.TLS = ours, honest.config(), stranger
	}
	s := start(t, r)
	addr := s.hears(t, "ready")
	require.NoError(t, visit(addr, config))
	empty := s.descriptors(t) // event loops run
	all, err := gather(addr, config)
	require.NoError(t, err)
	quiet := time.Now()
	time.Sleep(cmp.Or(*duration, momentary) / 4)
	before := s.descriptors(t)
	s.forget()
	now, _ := s.memory(t)

	began := time.Now()
	hostile.Addr = addr
	enemy := start(t, hostile)
	enemy.hears(t, "ready")
	a.receive(t, s, addr, config, &o)
	if a.slow && *duration > 0 {
		enemy.hears(t, "cut")
	}
	ended := time.Now()
	_, peak := s.memory(t)
	o.memory, o.descriptors = peak-now, o.descriptors-before
	o.made, err = strconv.Atoi(enemy.end(t))
	require.NoError(t, err)

	testkit.Eventually(t, func() bool { return s.descriptors(t) <= empty+honestClients }, "descriptors are free again")
	o.lost = append(o.lost, all.disperse()...)
	testkit.Eventually(t, func() bool { return s.descriptors(t) <= empty }, "all descriptors are free again")
	s.end(t)
	before50, meanwhile := all.between(quiet, began), all.between(began, ended)
	o.quiet50, o.quiet99 = at(before50, 0.5), at(before50, 0.99)
	o.p50, o.p99 = at(meanwhile, 0.5), at(meanwhile, 0.99)
	return o
}

// receive lets newcomers in while the attack lasts, one after the other, and one at least. It counts
// descriptors meanwhile.
func (a attack) receive(t *testing.T, s *process, addr string, config *tls.Config, o *outcome) {
	var over atomic.Bool
	lasts := cmp.Or(*duration, momentary)
	if *duration > 0 && a.slow {
		lasts = max(lasts, timeout+2*period)
	}
	time.AfterFunc(lasts, func() { over.Store(true) })
	for !over.Load() || o.newcomers == 0 {
		came := time.Now()
		refused, err := newcomer(addr, config)
		o.descriptors = max(o.descriptors, s.descriptors(t))
		if err != nil {
			o.lost = append(o.lost, fmt.Errorf("a newcomer, refused %d times: %w", refused, err))
		}
		o.newcomer = max(o.newcomer, time.Since(came))
		o.newcomers++
		o.refused += refused
		time.Sleep(20 * time.Millisecond)
	}
}

// median returns that of a figure, the lower one of two.
func median[T cmp.Ordered](tries []outcome, figure func(outcome) T) T {
	s := sorted(tries, figure)
	if len(s) == 0 {
		return *new(T)
	}
	return s[(len(s)-1)/2]
}

func sorted[T cmp.Ordered](tries []outcome, figure func(outcome) T) (s []T) {
	for _, o := range tries {
		s = append(s, figure(o))
	}
	slices.Sort(s)
	return s
}

// tell writes a line of the table.
func (a attack) tell(w *tabwriter.Writer, server string, all map[string][]outcome) {
	tries := all[server]
	took := func(figure func(outcome) time.Duration) string { return short(median(tries, figure)) }
	count := func(figure func(outcome) int) int { return median(tries, figure) }
	p99s := sorted(tries, p99)
	lost := 0
	for _, o := range tries {
		lost += len(o.lost)
	}
	within, most := "", ""
	if server != plain {
		within, most = short(limit(all)), strconv.Itoa(a.bound(server)>>20)
	}
	fmt.Fprintf(w, "%d %s\t%s\t%d\t%s\t%s\t%s\t%s (%s-%s)\t%s\t%s\t%d\t%d\t%d\t%s\t%d\t%d\t%d\n", a.conns, a.name, server, len(tries),
		took(func(o outcome) time.Duration { return o.quiet50 }), took(func(o outcome) time.Duration { return o.quiet99 }),
		took(func(o outcome) time.Duration { return o.p50 }), took(p99),
		short(p99s[0]), short(p99s[len(p99s)-1]), within,
		took(func(o outcome) time.Duration { return o.newcomer }),
		count(func(o outcome) int { return o.newcomers }), count(func(o outcome) int { return o.refused }),
		count(func(o outcome) int { return o.memory >> 20 }), most,
		count(func(o outcome) int { return o.descriptors }), count(func(o outcome) int { return o.made }), lost)
}

// short writes a duration by three digits or so.
func short(d time.Duration) string {
	if d < time.Millisecond {
		return d.Round(time.Microsecond).String()
	}
	return d.Round(d / 100 / 10 * 10).Round(10 * time.Microsecond).String()
}
