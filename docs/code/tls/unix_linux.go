package tlspage

import (
	"context"
	"fmt"
	"net"
	"syscall"
)

//doc:begin unix

// process says which user's process has connected to a unix socket: the kernel vouches for it.
func process(_ context.Context, conn net.Conn) (string, error) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return "", err
	}
	var peer *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil || failed != nil {
		return "", fmt.Errorf("no credentials: %w %w", err, failed)
	}
	return fmt.Sprintf("uid:%d", peer.Uid), nil
}

//doc:end
