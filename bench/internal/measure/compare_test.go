package measure

import (
	"slices"
	"strings"
	"testing"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/result"
)

const other = child.Program("/other/bench")

func TestSubjectsBeforeRunFromTheOtherBuild(t *testing.T) {
	h := header{}.against(Asked{Before: other}, []string{"chan"}, "net")
	for subject, want := range map[string]child.Program{
		"chan": child.This, "chan" + result.Before: other, "net": child.This,
	} {
		program, name := h.program(subject)
		if program != want || name != strings.TrimSuffix(subject, result.Before) {
			t.Errorf("%s: %q of %q", subject, name, program)
		}
		if !slices.Contains(h.subjects, subject) {
			t.Errorf("%s is not measured", subject)
		}
	}
}

func TestBeforeAndAfterTakeTurns(t *testing.T) {
	subjects := header{}.against(Asked{}, ours, yardsticks...).subjects
	first := map[string]int{} // how often each subject came before its own other build
	const rounds = 6
	for round := range rounds {
		order := paired(shuffled(subjects, round), round)
		if !slices.Equal(slices.Sorted(slices.Values(order)), slices.Sorted(slices.Values(subjects))) {
			t.Fatalf("round %d measures %v", round, order)
		}
		for _, s := range ours {
			switch slices.Index(order, s+result.Before) - slices.Index(order, s) {
			case 1:
				first[s]++
			case -1:
			default:
				t.Errorf("round %d: %s is not beside itself in %v", round, s, order)
			}
		}
	}
	for _, s := range ours {
		if first[s] != rounds/2 {
			t.Errorf("%s came first in %d of %d rounds", s, first[s], rounds)
		}
	}
}

// What a comparison promises to hold beside each other.
func TestCasesOfAComparison(t *testing.T) {
	keys := map[string][]string{}
	for _, c := range Compare(Asked{Before: other}).Cases {
		keys[c.Info().Key] = c.Subjects()
	}
	for _, key := range []string{
		"echo-100x100x16", "echo-1x100x16", "echo-100x10x1k", "echo-10x4x64k", "sessions-1000",
		"pingpong-1", "pingpong-100", "pair-16", "idle", "flood",
	} {
		if !slices.ContainsFunc(keys[key], func(s string) bool { return strings.HasSuffix(s, result.Before) }) {
			t.Errorf("%s compares nothing: %v", key, keys[key])
		}
	}
}
