package wire

import "testing"

func TestCompleteCountsWholeFramesOnly(t *testing.T) {
	tape := NewTape(16, 8)
	stream := tape.Slice(0, 3*tape.FrameLen())
	for _, c := range []struct{ have, whole, need int }{
		{0, 0, 4}, {3, 0, 4}, {4, 0, 20}, {19, 0, 20}, {20, 20, 4}, {43, 40, 4}, {45, 40, 20}, {60, 60, 4},
	} {
		whole, need := Complete(stream[:c.have])
		if whole != c.whole || need != c.need {
			t.Errorf("Complete(%d bytes) = %d, %d; want %d, %d", c.have, whole, need, c.whole, c.need)
		}
	}
}

func TestTapeNoticesEveryKindOfDamage(t *testing.T) {
	const window = 8
	tape := NewTape(16, window)
	frame := tape.FrameLen()
	good := append([]byte(nil), tape.Slice(uint64(frame), window*frame)...)
	if !tape.Matches(uint64(frame), good) {
		t.Fatal("the tape does not match itself")
	}
	if !tape.Matches(uint64(frame)+uint64(tape.Frames()*frame), good) {
		t.Fatal("the tape does not repeat after its period")
	}
	damage := map[string]func([]byte) []byte{
		"a flipped bit":      func(b []byte) []byte { b[7] ^= 1; return b },
		"a lost message":     func(b []byte) []byte { return append(b[:frame:frame], b[2*frame:]...) },
		"a repeated message": func(b []byte) []byte { copy(b[frame:], b[:frame]); return b },
		"two swapped": func(b []byte) []byte {
			one := append([]byte(nil), b[:frame]...)
			copy(b, b[frame:2*frame])
			copy(b[frame:], one)
			return b
		},
		"more than a window": func(b []byte) []byte { return append(b, make([]byte, tape.Frames()*frame)...) },
	}
	for name, do := range damage {
		if tape.Matches(uint64(frame), do(append([]byte(nil), good...))) {
			t.Errorf("%s went unnoticed", name)
		}
	}
}
