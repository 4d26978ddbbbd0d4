package session

import "fmt"

// sayHello asks for the first words of a connection and writes them, and then what is queued. It has
// the right to write from the connection's beginning: so nothing goes before them. It is a goroutine
// of its own, so that no event loop waits for the user's function.
func (c *Conn) sayHello() {
	s := c.s
	words, err := s.encodeHello(s.cfg.Hello(c.epoch))
	s.mu.Lock()
	if err != nil && s.conn == c {
		s.writing = false
		s.detach(err)
		s.settle()
		c.link.Close()
		return
	}
	if s.conn == c {
		s.out.hello = words
		s.keepWords(words)
	}
	s.mu.Unlock()
	s.flush(c, true)
}

// keepWords notes that the first words for this session of the peer's are known. The caller holds mu.
func (s *Session) keepWords(words *frames) {
	if s.resume == nil {
		return
	}
	if s.resume.greeted = true; words != nil {
		s.out.kept.addWords(words)
	}
}

// encodeHello makes frames of the first words. Nil is none.
func (s *Session) encodeHello(words [][]byte) (*frames, error) {
	var fs *frames
	for _, word := range words {
		if err := s.check(word); err != nil {
			return nil, fmt.Errorf("netasync: Hello: %w", err)
		}
		if fs == nil {
			fs = framesPool.Get().(*frames)
		}
		fs.add(&s.cfg.Format, word)
	}
	return fs, nil
}
