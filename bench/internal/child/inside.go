// Package child runs a part of the benchmark in a process of its own and talks to it over its standard input and
// output: lines of JSON from the child, single words to it. A child ends when its input does, so none outlives
// the process that started it.
package child

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// The words that a parent says: the first two to a server, the third to a crowd, the last to what broadcasts.
const (
	wordStats = "stats"
	wordTidy  = "tidy" // collect garbage first
	wordHeard = "heard"
	wordSend  = "send"
)

// Message is one line from a child. A child sends what applies and leaves out the rest.
type Message struct {
	Event  string          `json:"event"`
	Addr   string          `json:"addr,omitempty"`
	Stats  *Stats          `json:"stats,omitempty"`
	Heard  int             `json:"heard,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// The events a child reports.
const (
	Ready   = "ready"   // a server listens at Addr
	Begin   = "begin"   // the measured time begins
	End     = "end"     // and is over
	Done    = "done"    // Result holds what was measured
	Figures = "figures" // Stats, asked for by a word
	Heard   = "heard"   // the heartbeats heard since the last time, asked for by a word; or a message that all have
	Sent    = "sent"    // a message was broadcast, asked for by a word
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
	return answer(func(word string) (Message, error) {
		stats := Collect(word == wordTidy)
		return Message{Event: Figures, Stats: &stats}, nil
	})
}

// Broadcast is Serve for a server that sends a message when the parent says so.
func Broadcast(addr string, send func() error) error {
	if err := Say(Message{Event: Ready, Addr: addr}); err != nil {
		return err
	}
	return answer(func(word string) (Message, error) {
		if word == wordSend {
			return Message{Event: Sent}, send()
		}
		stats := Collect(word == wordTidy)
		return Message{Event: Figures, Stats: &stats}, nil
	})
}

// Listen tells the parent that the crowd is there, and how many heartbeats it heard whenever the parent asks.
func Listen(heard func() (int, error)) error {
	if err := Say(Message{Event: Ready}); err != nil {
		return err
	}
	return answer(func(string) (Message, error) {
		n, err := heard()
		return Message{Event: Heard, Heard: n}, err
	})
}

// Obey tells the parent that the child is there. Then it does what it is told, a line of words at a time, and answers
// each with what came of it, until the parent has had enough. An error ends the child.
func Obey(do func(words []string) (any, error)) error {
	if err := Say(Message{Event: Ready}); err != nil {
		return err
	}
	return answer(func(line string) (Message, error) {
		result, err := do(strings.Fields(line))
		if err != nil {
			return Message{}, fmt.Errorf("%s: %w", line, err)
		}
		raw, err := json.Marshal(result)
		return Message{Event: Done, Result: raw}, err
	})
}

// answer replies to the parent's words until he closes the input.
func answer(to func(word string) (Message, error)) error {
	words := bufio.NewScanner(os.Stdin)
	for words.Scan() {
		m, err := to(words.Text())
		if err != nil {
			return err
		}
		if err := Say(m); err != nil {
			return err
		}
	}
	return words.Err()
}
