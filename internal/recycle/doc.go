// Package recycle copies payloads into memory that comes back by itself when the garbage collector
// finds that nothing refers to it any more. Its one function is [Clone].
//
// # Why
//
// A payload that is handed to a user belongs to the user, and nothing is ever given back. There may
// be a gigabyte of payloads a second, and a program whose heap is small would collect that two
// hundred times a second. With ordinary memory in place of this package, the server's CPU time per
// message rises by 50 % at 64 KiB, by 16 to 38 % at 16 KiB and by 25 to 30 % at 1 KiB (the echo
// server of bench/, measured with both kinds of memory in turn).
//
// # How
//
// Each block has a finalizer. When the collector finds a block unreachable it takes the finalizer
// off, and runs it: it puts the block into a [sync.Pool]. The next Clone takes the block from there
// and sets the finalizer again. The pool is one that the collector empties, so that a program that
// has become quiet gives all blocks to the allocator, within two collections.
//
// # Why no former owner can see the memory again
//
// The rule behind all that follows: a block comes here at the very moment at which the allocator
// would have it otherwise, to hand it to the next make. A program that could see a block of this
// package change could see ordinary memory change, too. In detail, by the ways of referring to a
// block:
//
//   - A slice of a part, a pointer to one byte, an array pointer made by conversion: a pointer to
//     any byte of a block keeps the whole block. The collector finds a block from an interior
//     pointer, and it runs a finalizer only for what it did not reach ([runtime.SetFinalizer]: "at
//     some arbitrary time after the program can no longer reach the object"). An empty slice at
//     the very end does not point behind its block, as the compiler does not move a pointer by a
//     slice expression whose capacity becomes zero.
//   - A string made by [unsafe.String] is such a pointer, and so is every part of that string. It
//     keeps the block, and the block does not change while it is kept.
//   - A weak pointer ([weak.Pointer]) to any byte. "If a weak pointer points to an object with a
//     finalizer, then Value will return nil as soon as the object's finalizer is queued" (package
//     weak). The runtime clears all weak pointers to a block and queues its finalizer in one pass
//     over the block (sweepLocked.sweep in runtime/mgcsweep.go). Value waits for the end of that
//     pass, and so does SetFinalizer, without which no block gets its next owner (both call
//     ensureSwept, in runtime/mheap.go). Afterwards they stay nil: a weak pointer that is made to
//     the block later has a handle of its own, and is not equal to the old ones. And a block that
//     Value has returned in time is reachable again like any other: Value marks it.
//   - An object of the user's that refers to a block and has a finalizer, or a cleanup whose
//     argument refers to a block: those run while the block is whole. "If A points at B, both have
//     finalizers, and they are otherwise unreachable, only the finalizer for A runs."
//   - Memory that the collector cannot see: a uintptr, a pointer in C's memory, a system call that
//     goes on after it returned. Those do not keep ordinary memory either. What [runtime.Pinner]
//     holds, or a cgo call while it runs, is reachable.
//
// Nor does an owner see what a former one wrote. A slice's capacity ends where the copy ends, and
// the copy overwrites all before that.
//
// The former owner's last use of a block comes before the next owner's first. The memory model
// does not say so of a finalizer and what came before it, and this package does not build on more
// than the allocator does: it too hands out memory whose former owner told it nothing. A pointer
// that is still to be used is on a stack, in a register or in the heap when the collector looks
// there, and it stops each goroutine to look, which orders what that goroutine did.
//
// # What differs from ordinary memory
//
//   - A payload's first byte has a finalizer. [runtime.SetFinalizer] on the same byte ends the
//     program ("finalizer already set"). With nil in place of a function it takes the finalizer
//     off: the block then is ordinary memory, and its size counts towards the bound for ever.
//   - [runtime.AddCleanup] on a payload is allowed, and late: "the cleanup will only run once it
//     has been finalized and becomes unreachable without an associated finalizer". So it runs when
//     the allocator gets the block, and the block may have had other owners by then.
//   - One goroutine runs all finalizers of a program. While one of the user's blocks, no memory
//     comes back, and what is needed beyond the bound is ordinary memory.
//   - A heap profile shows a block under the Clone that made it, not under its present owner.
//
// # Sizes and bounds
//
// Blocks have 1 KiB to 1 MiB, and come in powers of two and one and a half times those: so less
// than half of a block is unused. 1 KiB is the smallest size at which a gain is measured. There the
// copy itself takes 310 ns in a block of this package and 226 ns in ordinary memory
// (BenchmarkClone, two CPUs), and the collections that do not happen make up for more than that;
// for less memory they make up for less, and a finalizer costs the same. At 64 KiB a copy takes 7.3
// against 13.6 µs, at 1 MiB 78 against 278 µs. Above 1 MiB a few blocks would use up the bound.
// Besides, all blocks are beyond the allocator's tiny objects (16 bytes), which share a slot and
// could not have a finalizer each.
//
// At most 16 MiB are in blocks that have a finalizer. That bounds what one collection brings back,
// and so what may lie idle in the pool until the two collections after it have emptied that.
// Whatever is needed beyond that, say because a user keeps it, is ordinary memory. By measurement:
// with half of that bound an echo of 64 KiB takes 10 % more CPU time, with twice as much 10 % less.
//
// # With a sanitizer
//
// Under -race, -msan and -asan no memory is used again: Clone makes ordinary memory, and all that
// the library promises is the same. Each of the three keeps an account of every byte, which the
// allocator tells when it hands the byte out (racemalloc and its like, in runtime/malloc.go). A
// block that goes from one owner to the next without the allocator would spoil that account in both
// directions:
//
//   - Alarm about nothing. What orders two owners is the collector, which the race detector does
//     not watch: the next owner's first write would be reported as a race with the last read of the
//     former one.
//   - Silence about a fault. A pool's Put and Get count as synchronization, and would order
//     goroutines that nothing else orders, so that a race of the user's between them is not
//     reported. And to C code that uses a payload after its end, -asan would not object: the block
//     never was free.
//
// So a fault of the user's shows under a sanitizer as it does with ordinary memory, and the tests
// of this package that need blocks to come back run without one: GOGC=10 go test
// ./internal/recycle.
package recycle
