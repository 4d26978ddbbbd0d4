package weakchan

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"

	"github.com/stretchr/testify/require"
)

// A channel's value is one pointer, to an object of its own. This is what fails first if a release
// of Go makes channels otherwise; the tests of collection below do, too.
func TestAChannelIsAPointer(t *testing.T) {
	require.Equal(t, unsafe.Sizeof(uintptr(0)), unsafe.Sizeof(make(chan int)))
	sameThrough(t, make(chan struct{}))
	sameThrough(t, make(chan struct{}, 5))
	sameThrough(t, make(chan byte, 1))
	sameThrough(t, make(chan [1000]byte, 100))
	sameThrough(t, make(chan []byte))
	sameThrough(t, make(chan *int, 64))
	require.Nil(t, weakly[int](nil).get())
}

func sameThrough[T any](t *testing.T, c chan T) {
	r := weakly(c)
	for range 3 {
		runtime.GC()
		got := r.get()
		require.True(t, c == got, "another channel")
		require.Equal(t, cap(c), cap(got))
	}
	var zero T
	go func() { r.get() <- zero }()
	<-c
	close(r.get())
	_, open := <-c
	require.False(t, open)
}

// dropped is what is left of a channel that was served and dropped: references that do not keep it.
type dropped struct {
	c     ref[*int]
	value weak.Pointer[int] // in the channel, or waiting to be
}

func (d dropped) gone() bool { return d.c.get() == nil && d.value.Value() == nil }

// serveAndDrop serves a channel that it drops.
//
//go:noinline
func serveAndDrop(f func(c chan *int, value *int)) dropped {
	c, value := make(chan *int, 2), new(int)
	f(c, value)
	return dropped{weakly(c), weak.Make(value)}
}

// ways are the ways in which a channel is served and dropped.
var ways = map[string]func(c chan *int, value *int){
	"drain":         func(c chan *int, _ *int) { Drain(c, nil) },
	"drain late":    func(c chan *int, value *int) { Drain(c, func(n int) { *value += n }); c <- value },
	"deliver":       func(c chan *int, value *int) { Deliver(c, []*int{nil, nil, nil, value}) },
	"deliver first": func(c chan *int, value *int) { Deliver(c, []*int{value, nil, nil, nil}) },
	"deliver all":   func(c chan *int, value *int) { Deliver(c, []*int{value, nil}) },
}

// A dropped channel is collected, with what it holds and what was to be delivered.
func TestDroppedChannelsAreCollected(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T) {
				var all []dropped
				for range 50 {
					all = append(all, serveAndDrop(way))
				}
				for _, d := range all {
					for end := time.Now().Add(10 * time.Second); !d.gone(); time.Sleep(5 * time.Millisecond) {
						require.True(t, time.Now().Before(end), "not collected")
						runtime.GC()
					}
				}
			})
		})
	}
}

// The test above is able to fail: a look that refers to the channel keeps it.
func TestALookThatKeepsTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := serveAndDrop(func(c chan *int, value *int) {
			serve(weakly(c), drainPause, func(chan *int) (moved, done bool) { c <- value; <-c; return false, false })
		})
		for range 100 {
			time.Sleep(time.Second)
			runtime.GC()
			require.False(t, d.gone())
		}
	})
}

// A channel that a blocked sender alone refers to is not dropped.
func TestABlockedSenderKeepsTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := make(chan struct{})
		serveAndDrop(func(_ chan *int, value *int) {
			c := make(chan *int)
			Drain(c, nil)
			time.Sleep(time.Minute)
			go func() { c <- value; close(sent) }()
		})
		for range 3 {
			runtime.GC()
		}
		<-sent
	})
}

// A bubble ends while timers of channels are pending, kept or dropped, and all is free afterwards.
func TestABubbleEnds(t *testing.T) {
	var all []dropped
	synctest.Test(t, func(t *testing.T) {
		var kept []chan *int
		for _, way := range ways {
			all = append(all, serveAndDrop(way))
			all = append(all, serveAndDrop(func(c chan *int, value *int) {
				way(c, value)
				kept = append(kept, c)
			}))
		}
		runtime.GC()
		time.Sleep(time.Minute)
		runtime.GC()
		runtime.KeepAlive(kept)
	})
	for _, d := range all {
		for end := time.Now().Add(10 * time.Second); !d.gone(); {
			require.True(t, time.Now().Before(end), "not collected")
			runtime.GC()
		}
	}
}
