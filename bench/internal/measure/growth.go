package measure

import (
	"fmt"

	"github.com/netasync/netasync/bench/internal/result"
)

// The families of the growth measurements: what is made larger.
const (
	BySessions = "sessions"
	ByIdle     = "idle sessions"
	ByPayload  = "payload"
	ByLoops    = "loops"
)

// growing are the subjects whose growth is compared.
var growing = []string{"chan", "recv", "handler", "inline", "netchan", "gnet"}

// smallestCrowd is from how many sessions on the memory of one can be told from the noise of the process.
const smallestCrowd = 50

// crowded is from how many sessions on one pass over all of them takes so long that more time is needed.
const crowded = 1_000

func (z size) growth(beam Beam) []Case {
	var cases []Case
	for _, n := range z.growScales {
		cases = append(cases, z.grown(BySessions, n, fmt.Sprintf("%d sessions × 10 under way × 16 B", n), n, 10, 16, 0))
		if n >= smallestCrowd {
			idle := z.idleCase(fmt.Sprintf("idle-%d", n), fmt.Sprintf("%d idle sessions", n), n, growing, beam)
			idle.info.Family, idle.info.Scale = ByIdle, float64(n)
			idle.Period = 0
			cases = append(cases, idle)
		}
	}
	for _, bytes := range z.payloads {
		cases = append(cases, z.grown(ByPayload, bytes, fmt.Sprintf("10 sessions × 4 under way × %d B", bytes), 10, 4, bytes, 0))
	}
	for _, loops := range []int{1, 2} {
		cases = append(cases, z.grown(ByLoops, loops, fmt.Sprintf("%d loops, 100 sessions × 100 under way × 16 B", loops), z.manyConns, 100, 16, loops))
	}
	return cases
}

func (z size) grown(family string, scale int, title string, conns, window, payload, loops int) Echo {
	times := z.times
	if conns >= crowded {
		times = Times{Warm: 4 * times.Warm, Measure: 4 * times.Measure}
	}
	info := result.Case{Key: fmt.Sprintf("%s-%d", family, scale), Title: title, Family: family, Scale: float64(scale)}
	return Echo{
		header: header{info: info, subjects: growing},
		Conns:  conns, Window: window, Payload: payload, Loops: loops, times: times,
	}
}
