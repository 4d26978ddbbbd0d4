package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/bcrypt"
)

const (
	// startPatience is how long an embedded server may take to start; it takes some 30 ms.
	startPatience = 10 * time.Second
	// pingInterval and pingsOut find a node that has vanished: in 2.2 to 2.5 s, by measurement. The
	// defaults of NATS take up to 6 minutes.
	pingInterval = time.Second
	pingsOut     = 2
	// maxMessage is the largest message between nodes, 1 MiB by default of NATS.
	maxMessage = 8 << 20
)

// embed starts a server, and returns a connection to it that is no socket.
func embed(o *Options, name string, secured *tls.Config) (*server.Server, *nats.Conn, error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it does not fail
	password := hex.EncodeToString(random[:])
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost) // it is random: a slow hash adds nothing
	if err != nil {
		return nil, nil, err
	}
	so, err := serverOptions(o, name, string(hash), secured)
	if err != nil {
		return nil, nil, err
	}
	s, err := server.NewServer(so)
	if err != nil {
		return nil, nil, fmt.Errorf("cluster: %w", err)
	}
	fatal := make(chan string, 1)
	s.SetLoggerV2(serverLog{o.Logger, fatal}, false, false, false)
	go s.Start()
	if err = started(s, fatal); err != nil {
		end(s)
		return nil, nil, err
	}
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserInfo(user, password), nats.Name(o.Name),
		nats.Timeout(startPatience), // a machine may be busy
		// The server may close the connection, as after this process was stopped for a while.
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Logger.Warn("cluster: nats", "error", err)
		}))
	if err != nil {
		end(s)
		return nil, nil, fmt.Errorf("cluster: %w", err)
	}
	return s, nc, nil
}

// started waits until a server has begun, or has said why it does not.
func started(s *server.Server, fatal <-chan string) error {
	for deadline := time.Now().Add(startPatience); ; {
		ready := s.ReadyForConnections(20 * time.Millisecond)
		select {
		case why := <-fatal: // also when the port for nodes is taken, and it is ready for clients
			return fmt.Errorf("cluster: the embedded server does not start: %s", why)
		default:
		}
		if ready {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("cluster: the embedded server does not start")
		}
	}
}

const user = "netasync"

// serverOptions returns those of the embedded server: no signals, no monitoring, and no port that other
// hosts could reach but the one for nodes.
func serverOptions(o *Options, name, password string, secured *tls.Config) (*server.Options, error) {
	so := &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: server.RANDOM_PORT,
		Username: user, Password: password, NoSigs: true,
		PingInterval: pingInterval, MaxPingsOut: pingsOut, MaxPayload: maxMessage, MaxPending: 256 << 20,
	}
	if o.Dir != "" {
		addJetStream(so, o)
	}
	if o.Listen == "" {
		so.DontListen = true
		return so, nil
	}
	host, port, err := splitPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("cluster: Listen: %w", err)
	}
	so.Cluster = server.ClusterOpts{
		Name: o.Cluster, Host: host, Port: port, PingInterval: pingInterval, MaxPingsOut: pingsOut,
		TLSConfig: secured, TLSTimeout: 5, AuthTimeout: 5, ConnectRetries: 1 << 30,
		Compression: server.CompressionOpts{Mode: server.CompressionOff},
	}
	for _, peer := range o.Peers {
		so.Routes = append(so.Routes, &url.URL{Scheme: "nats-route", Host: peer})
	}
	return so, nil
}

// splitPort splits an address of a listener. NATS has another number for a port of its choice.
func splitPort(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(text); err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("port %q, want 0 to 65535", text)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// end stops an embedded server, and waits for it.
func end(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// serverLog passes the lines of the embedded server on. What it notices is a detail here.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- string // the first reason why it does not go on; one slot
}

func (l serverLog) line(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "cluster: nats: "+fmt.Sprintf(format, args...))
	}
}

func (l serverLog) Noticef(format string, args ...any) { l.line(slog.LevelDebug, format, args) }
func (l serverLog) Warnf(format string, args ...any)   { l.line(slog.LevelWarn, format, args) }
func (l serverLog) Errorf(format string, args ...any)  { l.line(slog.LevelWarn, format, args) }
func (l serverLog) Debugf(format string, args ...any)  { l.line(slog.LevelDebug, format, args) }
func (l serverLog) Tracef(format string, args ...any)  { l.line(slog.LevelDebug, format, args) }

func (l serverLog) Fatalf(format string, args ...any) {
	l.line(slog.LevelError, format, args)
	select {
	case l.fatal <- fmt.Sprintf(format, args...):
	default:
	}
}
