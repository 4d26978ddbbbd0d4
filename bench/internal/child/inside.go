// Package child runs a part of the benchmark in a process of its own and talks to it over its standard input and
// output: lines of JSON from the child, single words to it. A child ends when its input does, so none outlives
// the process that started it.
package child

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
)

// The words a server process understands.
const (
	wordStats = "stats"
	wordTidy  = "tidy" // collect garbage first
)

// Message is one line from a child. A child sends what applies and leaves out the rest.
type Message struct {
	Event  string          `json:"event"`
	Addr   string          `json:"addr,omitempty"`
	Stats  *Stats          `json:"stats,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// The events a child reports.
const (
	Ready   = "ready"   // a server listens at Addr
	Begin   = "begin"   // the measured time begins
	End     = "end"     // and is over
	Done    = "done"    // Result holds what was measured
	Figures = "figures" // Stats, asked for by a word
)

// Say sends one message to the parent.
func Say(m Message) error { return json.NewEncoder(os.Stdout).Encode(m) }

// SayResult sends what was measured.
func SayResult(result any) error {
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return Say(Message{Event: Done, Result: raw})
}

// Serve tells the parent where the server listens, then answers its words until the parent has had enough.
func Serve(addr string) error {
	if err := Say(Message{Event: Ready, Addr: addr}); err != nil {
		return err
	}
	words := bufio.NewScanner(os.Stdin)
	for words.Scan() {
		stats := collect(words.Text() == wordTidy)
		if err := Say(Message{Event: Figures, Stats: &stats}); err != nil {
			return err
		}
	}
	return words.Err()
}

// WaitForEnd returns when the parent closes the child's input.
func WaitForEnd() { _, _ = io.Copy(io.Discard, os.Stdin) }
