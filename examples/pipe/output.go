package main

import (
	"bufio"
	"fmt"
	"sync"
)

// lockedWriter keeps the lines of several senders apart.
type lockedWriter struct {
	mu sync.Mutex
	to *bufio.Writer
}

// line writes a line.
func (w *lockedWriter) line(text []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.to.Write(text) // an error comes back with each further call
	return wrapped(w.to.WriteByte('\n'))
}

func (w *lockedWriter) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return wrapped(w.to.Flush())
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errOutput, err)
}
