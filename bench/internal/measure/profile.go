package measure

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/result"
)

// The subjects, by what they can do.
var (
	ours      = []string{"chan", "recv", "handler", "inline"}
	echoing   = slices.Concat(ours, []string{"iter", "net", "netchan", "gnet", "netpoll", "getty", Erlang})
	libraries = []string{
		"netasync", "netasync-resume", "netasync-iter", "netasync-handler", "netasync-inline",
		"net", "netchan", "mangos", "zmq4", "websocket", "nats", "nats-chan", "getty",
	}
	idlers     = append(without(echoing, "iter"), "beat") // a session of iter is one of recv
	callers    = []string{"netasync", "netasync-resume", "nats", "grpc"}
	yardsticks = []string{"net", "netchan", "gnet"}
	fleets     = []string{"netasync", "byhand"}
)

// Profile is a whole run.
type Profile struct {
	Rounds int
	Cases  []Case
}

// Asked is what a person may ask of a profile. What is zero or empty is left as the profile has it.
type Asked struct {
	Beam   Beam
	Before child.Program // what a comparison compares with
	Times
	Idle int // sessions of the idle case
}

func (a Asked) of(z size) size {
	z.times.Warm = cmp.Or(a.Warm, z.times.Warm)
	z.times.Measure = cmp.Or(a.Measure, z.times.Measure)
	z.idle = cmp.Or(a.Idle, z.idle)
	return z
}

// size is what differs between a run that tells something and one that only shows that everything works.
type size struct {
	times      Times
	rounds     int
	idle       int      // sessions
	idlers     []string // subjects of the idle case
	settle     time.Duration
	period     time.Duration // of heartbeats
	beats      time.Duration // how long they are measured
	storm      int           // sessions
	outage     time.Duration
	manyConns  int // what 100 connections become
	crowd      int // what 1,000 connections of a comparison become
	growScales []int
	payloads   []int
	fan        int // divides the connections of broadcasts
}

var full = size{
	times:  Times{Warm: 100 * time.Millisecond, Measure: 300 * time.Millisecond},
	rounds: 5,
	idle:   15_000, idlers: idlers,
	settle: 1500 * time.Millisecond, // a write channel counts as idle after a second
	period: time.Second, beats: 2 * time.Second,
	storm: 10_000, outage: time.Second,
	manyConns:  100,
	crowd:      crowded,
	growScales: []int{1, 10, 100, 1_000, 15_000},
	payloads:   []int{16, 128, 1 << 10, 8 << 10, 64 << 10, 256 << 10, 1 << 20},
	fan:        1,
}

var quick = size{
	times:  Times{Warm: 10 * time.Millisecond, Measure: 40 * time.Millisecond},
	rounds: 1,
	idle:   100, idlers: idlers,
	settle: 10 * time.Millisecond,
	period: 200 * time.Millisecond, beats: 800 * time.Millisecond,
	storm: 100, outage: 50 * time.Millisecond,
	manyConns:  20,
	crowd:      50,
	growScales: []int{1, 50},
	payloads:   []int{16, 1 << 20},
	fan:        100,
}

// Full is the run whose figures count.
func Full(a Asked) Profile { return Profile{full.rounds, a.of(full).cases(a.Beam)} }

// Quick is every case of every kind in miniature.
func Quick(a Asked) Profile {
	z := a.of(quick)
	return Profile{z.rounds, slices.Concat(z.cases(a.Beam), z.growth(a.Beam), z.broadcasts(), z.clusters())}
}

// Growth measures cost against scale.
func Growth(a Asked) Profile {
	long := full
	long.times = Times{Warm: 250 * time.Millisecond, Measure: 500 * time.Millisecond}
	return Profile{3, a.of(long).growth(a.Beam)}
}

func (z size) cases(beam Beam) []Case {
	many := z.manyConns
	return []Case{
		z.echo("pingpong-1", "1 connection, ping-pong, 128 B", 1, 1, 128, beam),
		z.echo("pingpong-100", "100 connections, ping-pong, 128 B", many, 1, 128, beam),
		z.echo("echo-1x100x16", "1 connection × 100 under way × 16 B", 1, 100, 16, beam),
		z.echo("echo-100x100x16", "100 connections × 100 under way × 16 B", many, 100, 16, beam),
		z.echo("echo-100x10x1k", "100 connections × 10 under way × 1 KiB", many, 10, 1<<10, beam),
		z.echo("echo-10x4x64k", "10 connections × 4 under way × 64 KiB", 10, 4, 64<<10, beam),
		z.pair("pair-16", "both ends, 1000 under way × 16 B", 1000, 16),
		z.pair("pair-128", "both ends, 1000 under way × 128 B", 1000, 128),
		z.pair("pair-pingpong", "both ends, ping-pong, 128 B", 1, 128),
		z.pair("pair-64k", "both ends, 16 under way × 64 KiB", 16, 64<<10),
		z.calls("call-1", "calls, one at a time, 128 B", 1),
		z.calls("call-100", "calls, 100 under way, 128 B", 100),
		z.flood(),
		z.idleCase("idle", fmt.Sprintf("%d idle sessions", z.idle), z.idle, z.idlers, beam),
		z.stormCase(),
	}
}

func (z size) echo(key, title string, conns, window, payload int, beam Beam) Echo {
	subjects := echoing
	if beam == "" {
		subjects = without(subjects, Erlang)
	}
	return Echo{
		header: header{info: result.Case{Key: key, Title: title}, subjects: subjects},
		Conns:  conns, Window: window, Payload: payload, beam: beam, times: z.times,
	}
}

func (z size) pair(key, title string, window, payload int) Pair {
	return Pair{
		header: header{info: result.Case{Key: key, Title: title}, subjects: libraries},
		Window: window, Payload: payload, times: z.times,
	}
}

func (z size) calls(key, title string, window int) Calls {
	return Calls{
		header: header{info: result.Case{Key: key, Title: title}, subjects: callers},
		Window: window, Payload: 128, times: z.times,
	}
}

func (z size) flood() Flood {
	return Flood{
		header: header{
			info:     result.Case{Key: "flood", Title: "100 connections, ping-pong, beside a flooded slow consumer"},
			subjects: slices.Concat(ours, yardsticks),
		},
		Conns: z.manyConns, Payload: 128, times: z.times,
	}
}

// idleRounds are few: memory differs by a hundredth from one round to the next, and the case takes a minute.
const idleRounds = 3

func (z size) idleCase(key, title string, sessions int, subjects []string, beam Beam) Idle {
	if beam == "" {
		subjects = without(subjects, Erlang)
	}
	return Idle{
		header:   header{info: result.Case{Key: key, Title: title}, subjects: subjects, rounds: idleRounds},
		Sessions: sessions, Settle: z.settle, Period: z.period, Beats: z.beats, beam: beam,
	}
}

func (z size) stormCase() Storm {
	return Storm{
		header: header{
			info:     result.Case{Key: "storm", Title: fmt.Sprintf("%d dialed sessions, their server restarts", z.storm)},
			subjects: fleets,
		},
		Sessions: z.storm, Outage: z.outage, Limit: time.Minute,
	}
}

// Only keeps the cases whose key the pattern matches; all for an empty one.
func (p Profile) Only(pattern string) (Profile, error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return p, err
	}
	p.Cases = slices.DeleteFunc(p.Cases, func(c Case) bool { return !match.MatchString(c.Info().Key) })
	if len(p.Cases) == 0 {
		return p, fmt.Errorf("no case is called %q", pattern)
	}
	return p, nil
}
