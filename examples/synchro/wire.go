package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// message is what goes over the wire, as JSON: exactly one of these.
type message struct {
	Follow   *follow   `json:"follow,omitempty"`   // mirror to master
	Ask      *ask      `json:"ask,omitempty"`      // mirror to master
	Snapshot *snapshot `json:"snapshot,omitempty"` // master to the mirror that follows
	Answer   *answer   `json:"answer,omitempty"`   // master to the mirror that has asked
	Delta    *Delta    `json:"delta,omitempty"`    // master to all
}

// follow asks for a snapshot and all deltas behind it. It goes first on a connection.
type follow struct {
	// Ticket is that of the last snapshot, by which the master knows the mirror again.
	Ticket string `json:"ticket,omitempty"`
}

// snapshot is the state, and who the mirror is to the master. Another ticket than before says that the
// master knows of none of the mirror's commands: it was restarted, or the mirror was away for too long.
type snapshot struct {
	Version Version          `json:"version"`
	Values  map[string]int64 `json:"values"`
	Ticket  string           `json:"ticket"` // known to master and mirror alone: others could act as it
	Mirror  uint64           `json:"mirror"` // the By of its deltas, known to all
}

// ask is a command. When it is asked again it is the same, with the ticket that it had.
type ask struct {
	Ticket  string  `json:"ticket"`
	Seq     uint64  `json:"seq"`
	Command Command `json:"command"`
}

// answer is what became of a command, where no delta tells or has told.
type answer struct {
	Seq     uint64 `json:"seq"`
	Version uint64 `json:"version"` // as of outcome
	Refused bool   `json:"refused,omitempty"`
	Lost    bool   `json:"lost,omitempty"` // the master does not know
}

// errNonsense ends a session whose peer says what no message is, or what it must not say.
var errNonsense = errors.New("the peer speaks nonsense")

// parse reads a message.
func parse(payload []byte) (m message, err error) {
	if err := json.Unmarshal(payload, &m); err != nil {
		return m, fmt.Errorf("%w: %w", errNonsense, err)
	}
	said := 0
	for _, is := range []bool{m.Follow != nil, m.Ask != nil, m.Snapshot != nil, m.Answer != nil, m.Delta != nil} {
		if is {
			said++
		}
	}
	if said != 1 {
		return m, fmt.Errorf("%w: %d messages in one", errNonsense, said)
	}
	return m, nil
}

func (m message) encode() []byte {
	payload, err := json.Marshal(m)
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	return payload
}
