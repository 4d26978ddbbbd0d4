package main

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
	maxName = 24 // of a member, and of a room
	maxText = 1000
	maxID   = 40
)

// word is what a member says, in JSON: at first which room it joins, then what it has to say.
type word struct {
	Room string `json:"room,omitempty"`
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
	ID   string `json:"id,omitempty"` // comes back in the news, by which the member knows its own word
}

// news is what all members of a room are told, in JSON.
type news struct {
	Kind    string   `json:"kind"`              // joined, left, away, back, or said
	Name    string   `json:"name"`              // of whom this is, as it is known in the room
	ID      string   `json:"id,omitempty"`      // of joined and said: that of the word
	Text    string   `json:"text,omitempty"`    // of said
	N       int      `json:"n,omitempty"`       // of said: 1 for the first that was ever said in the room
	Members []person `json:"members,omitempty"` // of all but said: who is in the room from now on
}

// person is a member as the others see it.
type person struct {
	Name string `json:"name"`
	Away bool   `json:"away,omitempty"` // it has no connection for now
}

// encode is for what cannot fail.
func encode(v any) []byte {
	payload, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return payload
}

// clean makes a line of what somebody has written, or says what is wrong with it. Control characters
// become blanks. Those that change the direction of the text around them, or cannot be seen, go.
func clean(what, s string, most int) (string, error) {
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
