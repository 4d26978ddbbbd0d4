package measure

import (
	"slices"
	"strings"
	"time"

	"github.com/netasync/netasync/bench/internal/result"
)

// comparing is the size of a comparison: longer loads than the full run's, since a few per cent
// matter.
func comparing() size {
	z := full
	z.times = Times{Warm: 100 * time.Millisecond, Measure: 400 * time.Millisecond}
	return z
}

// Compare measures a change: this library's own subjects as they are in this build, and as they are
// in another one.
func Compare(a Asked) Profile {
	z := a.of(comparing())
	return Profile{z.rounds, z.compared(a)}
}

// CompareQuick is the same in miniature.
func CompareQuick(a Asked) Profile {
	z := a.of(quick)
	return Profile{z.rounds, z.compared(a)}
}

// compared are the cases of a full run that a change of the library may move, and one of many
// sessions.
func (z size) compared(a Asked) []Case {
	crowd := z.grown(BySessions, z.crowd, "", z.crowd, 10, 16, 0)
	crowd.info = result.Case{Key: crowd.info.Key, Title: itoa(z.crowd) + " connections × 10 under way × 16 B"}
	crowd.header = crowd.against(a, []string{"chan"}, yardsticks...)
	cases := []Case{crowd}
	for _, c := range z.cases("") {
		switch c := c.(type) {
		case Echo:
			c.header = c.against(a, slices.Concat(ours, []string{"iter"}), yardsticks...)
			cases = append(cases, c)
		case Flood:
			c.header = c.against(a, ours)
			cases = append(cases, c)
		case Idle:
			c.header = c.against(a, []string{"chan", "handler"}, "gnet")
			cases = append(cases, c)
		case Pair:
			c.header = c.against(a, []string{"netasync"}, "netchan")
			cases = append(cases, c)
		}
	}
	return cases
}

// against has some subjects measured twice, from this build and from the one before, and others
// beside them.
func (h header) against(a Asked, twice []string, beside ...string) header {
	h.before, h.subjects, h.rounds = a.Before, nil, 0 // a person who asks for rounds gets them
	for _, subject := range twice {
		h.subjects = append(h.subjects, subject, subject+result.Before)
	}
	h.subjects = append(h.subjects, beside...)
	return h
}

// paired moves each subject from the build before next to the same one from this build, so that
// both meet the machine in the same mood. Which of them goes first changes from round to round, and
// from one pair to the next.
func paired(order []string, round int) []string {
	var out []string
	pairs := slices.Sorted(slices.Values(order))
	pairs = slices.DeleteFunc(pairs, func(s string) bool { return !strings.HasSuffix(s, result.Before) })
	for _, subject := range order {
		place := slices.Index(pairs, subject+result.Before)
		switch {
		case strings.HasSuffix(subject, result.Before):
		case place < 0:
			out = append(out, subject)
		case (place+round)%2 == 0:
			out = append(out, subject, subject+result.Before)
		default:
			out = append(out, subject+result.Before, subject)
		}
	}
	return out
}
