// Package nodes measures clusters: members of one, each in a process of its own that does what its parent says, and
// their clients. A member is a node of package cluster, or a NATS server with a connection to it, as a yardstick.
package nodes

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/fan"
)

// patience is how long anything may take.
const patience = 30 * time.Second

// member is one member of a cluster.
type member interface {
	// start begins, and does not wait for the others.
	start(listen string, peers []string) error
	// others is how many it knows.
	others() int
	// words are what else it can be told to do.
	words() map[string]command
	end()
}

// command does what the parent has said.
type command func(a args) (any, error)

// kinds are what a member may be.
var kinds = map[string]func() (member, error){"netasync": newNode, "nats": newServer}

// Serve is a member that does what it is told, until its parent has had enough.
func Serve(kind string) error {
	begin := kinds[kind]
	if begin == nil {
		return fmt.Errorf("nodes: no member is a %q, but %v", kind, slices.Sorted(maps.Keys(kinds)))
	}
	m, err := begin()
	if err != nil {
		return err
	}
	words := m.words()
	words["start"] = func(a args) (any, error) {
		began := time.Now()
		err := m.start(a.text(0), a.list(1))
		return time.Since(began), err
	}
	words["meet"] = func(a args) (any, error) {
		n := a.number(0)
		return stamped(fmt.Sprint(n, " others"), func() bool { return m.others() >= n })
	}
	words["tidy"] = func(args) (any, error) { return child.Collect(true), nil }
	words["now"] = func(args) (any, error) { return fan.Now(), nil }
	err = child.Obey(func(said []string) (any, error) {
		do := words[said[0]]
		if do == nil {
			return nil, errors.New("nodes: unknown word")
		}
		return do(said[1:])
	})
	m.end()
	return err
}

// stamped waits until something is so, and returns the instant.
func stamped(what string, is func() bool) (uint64, error) {
	for deadline := time.Now().Add(patience); !is(); time.Sleep(500 * time.Microsecond) {
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("nodes: after %v there are not: %s", patience, what)
		}
	}
	return fan.Now(), nil
}

// args are the words behind the first. They come from the parent, which knows what it says.
type args []string

func (a args) text(i int) string { return a[i] }

// list splits a text at its commas. A bar alone is an empty one.
func (a args) list(i int) []string {
	if a[i] == "|" {
		return nil
	}
	return strings.Split(a[i], ",")
}

func (a args) number(i int) int {
	n, err := strconv.Atoi(a[i])
	if err != nil {
		panic(err)
	}
	return n
}

func (a args) duration(i int) time.Duration {
	d, err := time.ParseDuration(a[i])
	if err != nil {
		panic(err)
	}
	return d
}
