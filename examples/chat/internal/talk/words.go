// Package talk is what the members of a chat and its server say to each other.
package talk

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is said is bounded, in characters.
const (
	MaxName = 24 // of a member, and of a room
	MaxText = 1000
	MaxID   = 40
)

// MaxPayload bounds a message, in bytes.
const MaxPayload = 64 << 10

// Word is what a member says, in JSON: at first which room it joins, then what it has to say.
type Word struct {
	Room string `json:"room,omitempty"`
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
	ID   string `json:"id,omitempty"` // comes back in the news, by which the member knows its own word
}

// News is what all members of a room are told, in JSON.
type News struct {
	Kind    string   `json:"kind"`              // joined, left, away, back, or said
	Name    string   `json:"name"`              // of whom this is, as it is known in the room
	ID      string   `json:"id,omitempty"`      // of joined and said: that of the word
	Text    string   `json:"text,omitempty"`    // of said
	N       int      `json:"n,omitempty"`       // of said: 1 for the first that was ever said in the room
	Server  string   `json:"server,omitempty"`  // of said, if there are several: that which has counted
	Members []Person `json:"members,omitempty"` // of all but said: who is in the room from now on
}

// Person is a member as the others see it.
type Person struct {
	Name   string `json:"name"`
	Away   bool   `json:"away,omitempty"`   // it has no connection for now
	Server string `json:"server,omitempty"` // where its session lives, if there are several
}

// Parse returns what somebody says, unless it does not keep to the rules.
func Parse(payload []byte) (w Word, err error) {
	if err = json.Unmarshal(payload, &w); err == nil && len(w.ID) > MaxID {
		err = fmt.Errorf("an ID has %d bytes", len(w.ID))
	}
	return w, err
}

// Encode is for what cannot fail.
func Encode(v any) []byte {
	payload, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return payload
}

// Clean makes a line of what somebody has written, or says what is wrong with it. Control characters
// become blanks. Those that change the direction of the text around them, or cannot be seen, go.
func Clean(what, s string, most int) (string, error) {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r) && r != joiner:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.TrimSpace(s)
	switch n := utf8.RuneCountInString(s); {
	case n == 0:
		return "", errors.New(what + " is empty")
	case n > most:
		return "", fmt.Errorf("%s has %d characters, and may have %d", what, n, most)
	}
	return s, nil
}

// joiner is within many emoji, and makes one of several.
const joiner = '\u200d'
