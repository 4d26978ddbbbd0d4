package codec_test

import (
	"errors"
	"fmt"

	"github.com/netasync/netasync/codec"
)

// What a message is on the wire: by default, and where its length is written in another way.
func ExampleFormat_AppendFrame() {
	payload := []byte("hello")
	fmt.Printf("% x\n", codec.Format{}.AppendFrame(nil, payload))
	fmt.Printf("% x\n", codec.Format{Varint: true}.AppendFrame(nil, payload))
	fmt.Printf("% x\n", codec.Format{Width: 2, LittleEndian: true}.AppendFrame(nil, payload))
	fmt.Printf("% x\n", codec.Format{Width: 2, IncludesHeader: true}.AppendFrame(nil, payload))
	// Output:
	// 00 00 00 05 68 65 6c 6c 6f
	// 05 68 65 6c 6c 6f
	// 05 00 68 65 6c 6c 6f
	// 00 07 68 65 6c 6c 6f
}

// The errors of a Format name the field.
func ExampleFormat_Validate() {
	fmt.Println(codec.Format{Width: 8}.Validate())
	fmt.Println(codec.Format{Width: 5}.Validate())
	// Output:
	// <nil>
	// netasync: Codec.Width is 5, want 1, 2, 3, 4 or 8
}

// A Decoder cuts a stream into messages, however it comes: here in two pieces, of which the first
// ends within a length.
func ExampleDecoder() {
	pieces := []string{"\x00\x00\x00\x05hello\x00\x00", "\x00\x00\x00\x00\x00\x05world"}
	decoder := codec.NewDecoder(codec.Format{}, codec.DefaultMaxPayload)
	for _, piece := range pieces {
		for p := []byte(piece); len(p) > 0; {
			frame, n, complete, err := decoder.Next(p)
			if err != nil {
				fmt.Println(err) // the connection cannot be read further
				return
			}
			p = p[n:]
			switch {
			case !complete:
				fmt.Println("… more is to come")
			case len(frame.Payload) == 0:
				fmt.Println("a heartbeat")
			default:
				fmt.Printf("%s\n", frame.Payload)
			}
		}
	}
	// Output:
	// hello
	// … more is to come
	// a heartbeat
	// world
}

// A length over the maximum says what it reads like, before anything is allocated for it: here a
// browser has come to the wrong port.
func ExampleFrameTooLargeError() {
	decoder := codec.NewDecoder(codec.Format{}, codec.DefaultMaxPayload)
	_, _, _, err := decoder.Next([]byte("GET / HTTP/1.1\r\n"))
	var tooLarge *codec.FrameTooLargeError
	if errors.As(err, &tooLarge) {
		fmt.Printf("%d is over %d, and reads like %q\n", tooLarge.Length, tooLarge.Max, tooLarge.Header)
	}
	// Output: 1195725856 is over 4194304, and reads like "GET "
}
