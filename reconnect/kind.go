package reconnect

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// kind says by what an error differs from those of another kind: what it is made of at the bottom,
// without the addresses, names and numbers of this one. That of nil is empty.
func kind(err error) string {
	switch wrapper := any(err).(type) { // the error itself, not what it wraps
	case nil:
		return ""
	case interface{ Unwrap() []error }:
		var kinds []string
		for _, e := range wrapper.Unwrap() {
			kinds = append(kinds, kind(e))
		}
		return strings.Join(kinds, ", ")
	case interface{ Unwrap() error }:
		if below := wrapper.Unwrap(); below != nil {
			return kind(below)
		}
	}
	t := reflect.TypeOf(err)
	switch {
	case t == errorText: // a sentinel, or words of the moment
		return strings.Map(withoutDigits, err.Error())
	case t.Comparable() && t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr:
		return fmt.Sprintf("%T %d", err, err) // of the system, or an alert of TLS
	}
	return t.String()
}

// errorText is the type of errors that are nothing but their text.
var errorText = reflect.TypeOf(errUnproven)

func withoutDigits(r rune) rune {
	if unicode.IsDigit(r) {
		return -1
	}
	return r
}
