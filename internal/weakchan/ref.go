package weakchan

import (
	"reflect"
	"unsafe"
	"weak"
)

// ref refers to a channel without keeping it. The package comment says why that is sound.
type ref[T any] struct{ first weak.Pointer[byte] } // to the first byte of the channel's object

// weakly returns a ref to c, which is not nil.
func weakly[T any](c chan T) ref[T] {
	return ref[T]{weak.Make((*byte)(reflect.ValueOf(c).UnsafePointer()))}
}

// get returns the channel, or nil when it is gone.
func (r ref[T]) get() chan T {
	p := r.first.Value()
	return *(*chan T)(unsafe.Pointer(&p))
}
