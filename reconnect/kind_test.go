package reconnect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func dialError(addr string, err error) error {
	tcp, _ := net.ResolveTCPAddr("tcp", addr)
	return &net.OpError{Op: "dial", Net: "tcp", Addr: tcp, Err: err}
}

func refused(addr string) error {
	return dialError(addr, os.NewSyscallError("connect", syscall.ECONNREFUSED))
}

func badCertificate(err error) error {
	return fmt.Errorf("netasync: tls: %w", &tls.CertificateVerificationError{Err: err})
}

// Errors of each line are of one kind, those of different lines are not.
func TestKinds(t *testing.T) {
	seen := map[string]int{}
	for i, same := range [][]error{
		{nil},
		{refused("127.0.0.1:1"), refused("127.0.0.1:2"), syscall.ECONNREFUSED},
		{dialError("127.0.0.1:1", syscall.EHOSTUNREACH)},
		{dialError("127.0.0.1:1", context.DeadlineExceeded), context.DeadlineExceeded},
		{badCertificate(x509.UnknownAuthorityError{}), badCertificate(x509.UnknownAuthorityError{Cert: &x509.Certificate{}})},
		{badCertificate(x509.HostnameError{Host: "a"}), badCertificate(x509.HostnameError{Host: "b"})},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(42)}},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(48)}},
		{dialError("127.0.0.1:1", &net.DNSError{Name: "a"}), dialError("127.0.0.1:1", &net.DNSError{Name: "b"})},
		{io.EOF, fmt.Errorf("wrapped: %w", io.EOF)},
		{io.ErrUnexpectedEOF},
		{fmt.Errorf("%w: %w", errUnproven, io.EOF)},
		{fmt.Errorf("%w: %w", errUnproven, io.ErrUnexpectedEOF)},
		{errors.New("attempt 1 at 12:03"), errors.New("attempt 17 at 12:04")},
	} {
		k := kind(same[0])
		_, known := seen[k]
		require.False(t, known, "%d: %q is that of %d, too", i, k, seen[k])
		seen[k] = i
		for _, err := range same[1:] {
			require.Equal(t, k, kind(err))
		}
	}
}

// It is news when a cause is another one, when the number of failures is a power of two, and when an
// outage begins. All else is told, too, but is none.
func TestChangedCauseIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{up: map[string]bool{}}
		v := w.supervisor(t.Context(), 0, "a")
		var told []error
		var failures []int
		v.plan.Tell = func(n int, err error, news bool) {
			failures = append(failures, n)
			if news {
				told = append(told, err)
			}
		}
		dials := 0
		causes := []error{errDown, errDown, errCut, errCut, errCut, errDown, nil, nil, errCut, errCut}
		v.plan.Dial = func(context.Context, string) error { dials++; return causes[dials-1] }
		v.Start()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		require.Equal(t, 7, dials)
		require.Equal(t, []error{errDown, errDown, errCut, errCut, errDown}, told, "the 1st, 2nd, 3rd, 4th and 6th")
		require.Equal(t, []int{1, 2, 3, 4, 5, 6}, failures)
		v.Redial(false, errDown) // unproven, which is another kind
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 8, dials)
		require.Len(t, told, 6)
		require.ErrorIs(t, told[5], errUnproven)
		v.Redial(true, errDown) // proven: what comes now is a new outage
		time.Sleep(2500 * time.Millisecond)
		v.Stop()
		w.work.Wait()
		require.Equal(t, []error{errCut, errCut}, told[6:])
		require.Equal(t, []int{7, 1, 2}, failures[6:])
	})
}
