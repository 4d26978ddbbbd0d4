// Package operating is what docs/operating.md shows, beside the service.
package operating

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/netasync/netasync"
)

// newEngine returns an engine that tells what happens.
func newEngine(out io.Writer) (*netasync.Engine, error) {
	//doc:begin logger
	logger := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	return netasync.NewEngine(netasync.EngineOptions{Logger: logger})
	//doc:end
}

// show writes the figures of each name.
func show(out io.Writer, engine *netasync.Engine) {
	//doc:begin totals
	for name, t := range engine.Totals() {
		fmt.Fprintf(out, "%s: %d sessions, %d connected; %d messages wait for peers, %d for us\n",
			name, t.Sessions, t.Connected, t.Queued, t.Unread)
		for reason, n := range t.Disconnects {
			if n > 0 {
				fmt.Fprintf(out, "  %d connections ended by %v\n", n, netasync.Reason(reason))
			}
		}
	}
	//doc:end
}

//doc:begin activated

// listen returns the socket that systemd has opened for this process, or else opens one.
func listen(addr string) (net.Listener, error) {
	const first = 3 // see sd_listen_fds(3)
	pid, _ := strconv.Atoi(os.Getenv("LISTEN_PID"))
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if pid != os.Getpid() || n < 1 {
		return net.Listen("tcp", addr)
	}
	file := os.NewFile(first, "LISTEN_FD_3")
	if file == nil {
		return nil, errors.New("descriptor 3 is not open")
	}
	defer file.Close() // FileListener has a duplicate
	return net.FileListener(file)
}

//doc:end
