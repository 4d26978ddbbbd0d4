package session

// size is what each of some frames takes, in bytes, and where that is. Frames of one size, one behind the
// other, have one: it is noted for every message, and most are of the same size.
type size struct {
	payload uint32
	frames  uint32
	source  uint32 // the Member that they are for, if it may replace them; 0: none
	header  uint8
	form    form
}

// form is where a frame is.
type form uint8

const (
	copied   form = iota // in buf
	referred             // its header is in buf, its payload is the next of large
	shared               // it is the next of large, with its header, which other sessions have, too
)

func (s *size) wire() int { return int(s.header) + int(s.payload) }

// inBuf returns how much of it is in buf.
func (s *size) inBuf() int {
	switch s.form {
	case copied:
		return s.wire()
	case referred:
		return int(s.header)
	}
	return 0
}

// count notes a frame that was appended.
func (fs *frames) count(s size) {
	fs.note(s)
	fs.wire += s.wire()
	if s.payload > 0 {
		fs.messages++
		fs.bytes += int(s.payload)
	}
}

// note notes the size of some frames.
func (fs *frames) note(s size) {
	if last := len(fs.sizes) - 1; last >= fs.first {
		before := fs.sizes[last]
		if before.frames = s.frames; before == s {
			fs.sizes[last].frames += s.frames
			return
		}
	}
	fs.sizes = append(fs.sizes, s)
}
