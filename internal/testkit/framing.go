package testkit

import "math/big"

// Framing is a wire format as package codec documents it, done the naive way: byte by byte, with
// numbers of any size, and by no code of package codec, whose tests compare the two. The fields are
// those of codec.Format, so that one can be converted to the other.
type Framing struct {
	Width          int
	Varint         bool
	LittleEndian   bool
	IncludesHeader bool
}

// Stop says where Framing.Split has stopped.
type Stop int

// Where Split has stopped.
const (
	Between   Stop = iota // at the end of the wire, between two frames
	Inside                // at the end of the wire, within a frame
	TooLarge              // at a length over the largest payload
	Malformed             // at a header that is no length
)

// maxVarint is how many bytes a varint has at most.
const maxVarint = 10

// Split takes a wire apart, up to its end or to a frame that is an error. rest is what stands behind
// the last whole frame.
func (f Framing) Split(wire []byte, most int) (payloads [][]byte, rest []byte, stop Stop) {
	for len(wire) > 0 {
		length, size, stop := f.header(wire)
		if stop != Between {
			return payloads, wire, stop
		}
		if length.Cmp(big.NewInt(int64(most))) > 0 {
			return payloads, wire, TooLarge
		}
		payload := []byte{}
		for i, n := size, length.Int64(); int64(len(payload)) < n; i++ {
			if i == len(wire) {
				return payloads, wire, Inside
			}
			payload = append(payload, wire[i])
		}
		payloads = append(payloads, payload)
		wire = wire[size+len(payload):]
	}
	return payloads, nil, Between
}

// header reads the length of the payload that follows, and the header's own size. It stops Between
// if there is a whole header.
func (f Framing) header(wire []byte) (length *big.Int, size int, stop Stop) {
	if f.Varint {
		length, size, stop = varint(wire)
	} else {
		length, size, stop = f.fixed(wire)
	}
	if stop != Between || !f.IncludesHeader {
		return length, size, stop
	}
	if length.Sub(length, big.NewInt(int64(size))).Sign() < 0 {
		return nil, 0, Malformed
	}
	return length, size, Between
}

// fixed reads a number of Width bytes.
func (f Framing) fixed(wire []byte) (length *big.Int, size int, stop Stop) {
	size = f.width()
	if len(wire) < size {
		return nil, 0, Inside
	}
	length = new(big.Int)
	for i, b := range wire[:size] {
		place := size - 1 - i
		if f.LittleEndian {
			place = i
		}
		digit := big.NewInt(int64(b))
		length.Add(length, digit.Lsh(digit, uint(8*place)))
	}
	return length, size, Between
}

// varint reads a number of seven bits a byte, lowest first; all bytes but the last have the eighth
// bit. It must be no more than 64 bits long.
func varint(wire []byte) (length *big.Int, size int, stop Stop) {
	length = new(big.Int)
	for i := range maxVarint {
		if i == len(wire) {
			return nil, 0, Inside
		}
		digit := big.NewInt(int64(wire[i] % 128))
		length.Add(length, digit.Lsh(digit, uint(7*i)))
		if length.BitLen() > 64 {
			return nil, 0, Malformed
		}
		if wire[i] < 128 {
			return length, i + 1, Between
		}
	}
	return nil, 0, Malformed
}

// Frame returns a payload with its header. The header must be able to say its length.
func (f Framing) Frame(payload []byte) []byte {
	return append(f.head(len(payload)), payload...)
}

// head returns the header of n bytes: the shortest, where that can have several sizes.
func (f Framing) head(n int) []byte {
	for size := 1; ; size++ {
		value := big.NewInt(int64(n))
		if f.IncludesHeader {
			value.Add(value, big.NewInt(int64(size)))
		}
		if digits := f.digits(value); len(digits) == size {
			return digits
		}
	}
}

// digits returns a number as it stands in a header.
func (f Framing) digits(value *big.Int) (digits []byte) {
	if f.Varint {
		for value.Cmp(big.NewInt(128)) >= 0 {
			digits = append(digits, byte(value.Uint64()%128)|128)
			value = new(big.Int).Rsh(value, 7)
		}
		return append(digits, byte(value.Uint64()))
	}
	digits = value.FillBytes(make([]byte, f.width()))
	if f.LittleEndian {
		for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 {
			digits[i], digits[j] = digits[j], digits[i]
		}
	}
	return digits
}

func (f Framing) width() int {
	if f.Width == 0 {
		return 4
	}
	return f.Width
}
