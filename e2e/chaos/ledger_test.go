//go:build linux

package chaos

import (
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// slot is what a server process knows of one accepted session. Each field has one writer; first is
// written after stream, and says with next what of the client's stream the session has handed to
// its consumer.
type slot struct {
	heard  atomic.Uint64 // 1 + the client's number; 0: it has said nothing
	first  atomic.Uint64 // number of its first message
	next   atomic.Uint64 // 1 + that of its last
	gaps   atomic.Uint64 // messages left out in between
	sent   atomic.Uint64 // by the session, once it has closed
	queued atomic.Uint64 // and never sent
	closed atomic.Uint64 // 1: Closed was told, sent and queued are true
	_      uint64
}

// serialBits is how many sessions of one process have a slot. A serial is the number of the process,
// and in the last bits that of the session.
const serialBits = 14

// A ledger has the slots of one server process. It is a mapped file: what was written in it stays
// when the process is killed.
type ledger []slot

// openLedger opens the ledger of a process, and makes it if it is not there.
func openLedger(dir string, incarnation uint32) (ledger, error) {
	const bytes = int64(unsafe.Sizeof(slot{})) << serialBits
	f, err := os.OpenFile(filepath.Join(dir, "ledger-"+strconv.Itoa(int(incarnation))), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(bytes); err != nil {
		return nil, err
	}
	p, err := syscall.Mmap(int(f.Fd()), 0, int(bytes), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*slot)(unsafe.Pointer(&p[0])), 1<<serialBits), nil
}

// close unmaps the ledger.
func (l ledger) close() error {
	return syscall.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&l[0])), len(l)*int(unsafe.Sizeof(slot{}))))
}

// ledgers are those of all server processes, by their numbers.
type ledgers []ledger

// of returns the slot of an accepted session; nil if there is none.
func (ls ledgers) of(serial uint32) *slot {
	incarnation := int(serial >> serialBits)
	if incarnation >= len(ls) {
		return nil
	}
	return &ls[incarnation][serial&(1<<serialBits-1)]
}
