package e2e_test

import (
	"context"
	"crypto/tls"
	"math"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Whatever is huge means for ever, or is refused; nothing overflows.
func TestHugeOptions(t *testing.T) {
	e := newEngine(t)
	for _, p := range []time.Duration{math.MaxInt64, math.MaxInt64 / 2, 1 << 62, math.MaxInt64 / 4} {
		_, err := e.Connect("127.0.0.1:1", netasync.ConnectOptions{HeartbeatPeriod: p})
		require.NoError(t, err, p)
		_, err = e.Connect("127.0.0.1:1", netasync.ConnectOptions{HeartbeatPeriod: p, HeartbeatTimeout: math.MaxInt64})
		require.NoError(t, err, p)
	}
	_, err := e.Connect("127.0.0.1:1", netasync.ConnectOptions{HeartbeatPeriod: time.Millisecond})
	require.NoError(t, err, "the least")
	_, err = e.Listen("127.0.0.1:0", netasync.ListenOptions{AcceptBuffer: math.MaxInt})
	require.ErrorContains(t, err, "AcceptBuffer")
	_, err = netasync.NewHandler(netasync.ListenOptions{AcceptBuffer: math.MaxInt})
	require.ErrorContains(t, err, "AcceptBuffer")
	pair(t, netasync.ListenOptions{
		MaxSessions: math.MaxInt, MaxSessionsPerAddr: math.MaxInt, MaxPending: math.MaxInt, HandshakeTimeout: math.MaxInt64,
		Authorize: func(net.Conn) error { return nil },
	}, netasync.ConnectOptions{})
}

// tooLarge is what no system's socket takes, and a MaxPayload that no header announces. Where an int has 32 bits it is negative.
var tooLarge = func() int { n := math.MaxInt32; n++; return n }()

// A bad option is an error that names the field, and nothing is begun.
func TestBadConnectOptions(t *testing.T) {
	for name, o := range map[string]netasync.ConnectOptions{
		"ReadBuffer.Cap":              {ReadBuffer: netasync.Fixed(-1)},
		"ReadBuffer.Bytes":            {ReadBuffer: netasync.Buffer{Bytes: -1}},
		"ReadBuffer.Policy":           {ReadBuffer: netasync.Buffer{Policy: 3}},
		"WriteBuffer.Cap":             {WriteBuffer: netasync.Sliding(-1)},
		"WriteBuffer.Bytes":           {WriteBuffer: netasync.Buffer{Bytes: -1}},
		"WriteBuffer.Policy":          {WriteBuffer: netasync.Buffer{Policy: 255}},
		"HeartbeatPeriod":             {HeartbeatPeriod: -1},
		"HeartbeatPeriod is 1ns":      {HeartbeatPeriod: 1},
		"HeartbeatPeriod is 999.999":  {HeartbeatPeriod: time.Millisecond - 1},
		"HeartbeatTimeout":            {HeartbeatTimeout: -1},
		"HeartbeatTimeout is":         {HeartbeatPeriod: 10 * time.Millisecond, HeartbeatTimeout: 19 * time.Millisecond},
		"HeartbeatTimeout is ":        {HeartbeatTimeout: 9 * time.Second}, // the default period is 5 s
		"MaxPayload":                  {MaxPayload: -1},
		"MinRate is -2":               {MinRate: -2},
		"MaxPayload is":               {MaxPayload: tooLarge},
		"Codec.Width":                 {Codec: netasync.Codec{Width: 5}},
		"Codec.Width is":              {Codec: netasync.Codec{Width: -1}},
		"Codec.Width is 4":            {Codec: netasync.Codec{Width: 4, Varint: true}},
		"Codec.LittleEndian":          {Codec: netasync.Codec{LittleEndian: true, Varint: true}},
		"Linger":                      {Linger: -1},
		"WriteTimeout":                {WriteTimeout: -1},
		"Name":                        {Name: "\xff"},
		"Inline":                      {Inline: true},
		"SocketReadBuffer is -1":      {SocketReadBuffer: -1},
		"SocketWriteBuffer is -1":     {SocketWriteBuffer: -1},
		"SocketReadBuffer is":         {SocketReadBuffer: tooLarge},
		"KeepAlive":                   {KeepAlive: net.KeepAliveConfig{Idle: 1}},
		"KeepAlive has values":        {KeepAlive: net.KeepAliveConfig{Idle: -1, Count: -1}},
		"Backoff.Initial":             {Backoff: netasync.Backoff{Initial: -1}},
		"Backoff.Max":                 {Backoff: netasync.Backoff{Max: -1}},
		"Backoff.Max is":              {Backoff: netasync.Backoff{Initial: 2, Max: 1}},
		"Backoff.Factor":              {Backoff: netasync.Backoff{Factor: 0.5}},
		"Backoff.Jitter":              {Backoff: netasync.Backoff{Jitter: -1}},
		"Backoff.Jitter is":           {Backoff: netasync.Backoff{Jitter: math.NaN()}},
		"Backoff.Factor is":           {Backoff: netasync.Backoff{Factor: math.NaN()}},
		"Backoff":                     {Backoff: netasync.FixedDelay(0)},
		"Backoff is FixedDelay(-1ns)": {Backoff: netasync.FixedDelay(-1)},
		"HeartbeatTimeout is 1s":      {HeartbeatPeriod: math.MaxInt64, HeartbeatTimeout: time.Second},
		"DialTimeout":                 {DialTimeout: -1},
		"MaxAttempts":                 {MaxAttempts: -1},
		"WhileDown is 2":              {WhileDown: 2},
		"WhileDown is 255":            {WhileDown: 255},
		"Unacked.Cap is -1":           {Resume: true, Unacked: netasync.Fixed(-1)},
		"Unacked.Bytes is -1":         {Resume: true, Unacked: netasync.Buffer{Bytes: -1}},
		"Unacked.Policy is 1":         {Resume: true, Unacked: netasync.Dropping(1)},
		"Unacked.Policy is 2":         {Resume: true, Unacked: netasync.Sliding(1)},
		"Unacked is set without":      {Unacked: netasync.Fixed(1)},
		"ResendLost is set without":   {ResendLost: true},
		"FollowRedirect is set":       {FollowRedirect: func(string) bool { return true }},
		"Addrs[1]":                    {Addrs: []string{"127.0.0.1:1", "127.0.0.1"}},
	} {
		e := newEngine(t)
		_, err := e.Connect("127.0.0.1:1", o)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, "netasync: ")
		require.Zero(t, e.Stats().Sessions)
	}
}

func passOn([]byte, net.Conn, []byte, netasync.ConnInfo) bool { return true }

func pointTo([]byte, netasync.ConnInfo) string { return "" }

func TestBadListenOptions(t *testing.T) {
	for name, o := range map[string]netasync.ListenOptions{
		"ReadBuffer.Cap":                      {ReadBuffer: netasync.Fixed(-1)},
		"ReadBuffer.Bytes":                    {ReadBuffer: netasync.Buffer{Bytes: -1}},
		"ReadBuffer.Policy":                   {ReadBuffer: netasync.Buffer{Policy: 3}},
		"WriteBuffer.Cap":                     {WriteBuffer: netasync.Dropping(-1)},
		"WriteBuffer.Bytes":                   {WriteBuffer: netasync.Buffer{Bytes: -1}},
		"HeartbeatPeriod":                     {HeartbeatPeriod: -1},
		"HeartbeatPeriod is":                  {HeartbeatPeriod: 1},
		"HeartbeatTimeout":                    {HeartbeatTimeout: -1},
		"HeartbeatTimeout is":                 {HeartbeatPeriod: 10 * time.Millisecond, HeartbeatTimeout: 19 * time.Millisecond},
		"MaxPayload":                          {MaxPayload: -1},
		"MinRate is -2":                       {MinRate: -2},
		"MaxPayload is":                       {MaxPayload: tooLarge},
		"Codec.Width":                         {Codec: netasync.Codec{Width: 5}},
		"Linger":                              {Linger: -1},
		"Name":                                {Name: "\xff"},
		"Inline":                              {Inline: true},
		"SocketReadBuffer":                    {SocketReadBuffer: -1},
		"SocketWriteBuffer":                   {SocketWriteBuffer: -1},
		"KeepAlive":                           {KeepAlive: net.KeepAliveConfig{Interval: -1}},
		"AcceptBuffer":                        {AcceptBuffer: -1},
		"MaxSessions":                         {MaxSessions: -1},
		"MaxSessionsPerAddr":                  {MaxSessionsPerAddr: -1},
		"MaxPending":                          {MaxPending: -1},
		"HandshakeTimeout":                    {HandshakeTimeout: -1},
		"Unacked.Cap is -1":                   {Resume: true, Unacked: netasync.Fixed(-1)},
		"Unacked.Bytes is -1":                 {Resume: true, Unacked: netasync.Buffer{Bytes: -1}},
		"Unacked.Policy is 2":                 {Resume: true, Unacked: netasync.Sliding(1)},
		"Unacked is set":                      {Unacked: netasync.Fixed(1)},
		"ResumeOnly is set":                   {ResumeOnly: true},
		"ResumeWindow is -1":                  {Resume: true, ResumeWindow: -1},
		"ResumeWindow is set":                 {ResumeWindow: 1},
		"MaxDetached is -1":                   {Resume: true, MaxDetached: -1},
		"MaxDetached is set":                  {MaxDetached: 1},
		"TokenPrefix is set":                  {TokenPrefix: []byte("a")},
		"TokenPrefix has 33":                  {Resume: true, TokenPrefix: make([]byte, 33)},
		"Route is set":                        {Route: passOn},
		"without TokenPrefix":                 {Resume: true, Route: passOn},
		"Redirect is set":                     {Redirect: pointTo},
		"Redirect is set without TokenPrefix": {Resume: true, Redirect: pointTo},
		"TLS":                                 {TLS: &tls.Config{}},
	} {
		_, err := newEngine(t).Listen("127.0.0.1:0", o)
		require.ErrorContains(t, err, name)
		_, err = netasync.NewHandler(o)
		require.ErrorContains(t, err, name)
	}
}

func TestBadEngineOptions(t *testing.T) {
	_, err := netasync.NewEngine(netasync.EngineOptions{Loops: -1})
	require.ErrorContains(t, err, "Loops")
	_, err = netasync.NewEngine(netasync.EngineOptions{AssemblyBudget: -1})
	require.ErrorContains(t, err, "AssemblyBudget")
	for _, bytes := range []int{-1, math.MaxInt} {
		_, err = netasync.NewEngine(netasync.EngineOptions{LoopBuffer: bytes})
		require.ErrorContains(t, err, "LoopBuffer is")
	}
	for _, budget := range []int{0, 1, math.MaxInt} {
		e, err := netasync.NewEngine(netasync.EngineOptions{AssemblyBudget: budget})
		require.NoError(t, err)
		for _, rate := range []int{-1, 0, 1, math.MaxInt} {
			_, err = e.Connect("127.0.0.1:1", netasync.ConnectOptions{MinRate: rate})
			require.NoError(t, err)
			_, err = e.Listen("127.0.0.1:0", netasync.ListenOptions{MinRate: rate})
			require.NoError(t, err)
		}
		require.NoError(t, e.Shutdown(testkit.Context(t)))
	}
	for _, n := range []int{0, 1} {
		e, err := netasync.NewEngine(netasync.EngineOptions{Loops: n, LoopBuffer: n, LockOSThread: n > 0})
		require.NoError(t, err)
		require.NoError(t, e.Shutdown(testkit.Context(t)))
	}
}

// A bad address is an error at once; one that is merely unreachable is not.
func TestBadAddresses(t *testing.T) {
	e := newEngine(t)
	for _, addr := range []string{"", "localhost", "127.0.0.1:", "unix:", "[::1", "a:b:c",
		"127.0.0.1:65536", "[::]:99999", ":70000", "127.0.0.1:-1", "127.0.0.1:99999999999999999999"} {
		_, err := e.Connect(addr, netasync.ConnectOptions{})
		require.ErrorContains(t, err, "address", "%q", addr)
		_, err = e.Listen(addr, netasync.ListenOptions{})
		require.ErrorContains(t, err, "address", "%q", addr)
	}
	_, err := e.Connect("127.0.0.1:1", netasync.ConnectOptions{Addrs: []string{"127.0.0.1:65535", "[::1]:99999"}})
	require.ErrorContains(t, err, "Addrs[1]")
	require.ErrorContains(t, err, "99999")
	_, err = e.Connect("127.0.0.1:http", netasync.ConnectOptions{})
	require.NoError(t, err, "the name of a service")
	_, err = e.Listen("unix:/nonexistent/socket", netasync.ListenOptions{})
	require.Error(t, err)
}

// TLS has to know whom it speaks to. Addresses without a host do not tell.
func TestBadServerName(t *testing.T) {
	e := newEngine(t)
	for _, addr := range []string{"unix:/tmp/socket", ":8899"} {
		_, err := e.Connect(addr, netasync.ConnectOptions{TLS: &tls.Config{}})
		require.ErrorContains(t, err, "TLS.ServerName", addr)
		_, err = e.Connect("localhost:1", netasync.ConnectOptions{TLS: &tls.Config{}, Addrs: []string{addr}})
		require.ErrorContains(t, err, "Addrs[0]", addr)
		require.ErrorContains(t, err, "TLS.ServerName", addr)
		for _, config := range []*tls.Config{{ServerName: "localhost"}, {InsecureSkipVerify: true}} { //nolint:gosec // it is not dialed
			_, err = e.Connect(addr, netasync.ConnectOptions{TLS: config, Backoff: netasync.FixedDelay(time.Hour)})
			require.NoError(t, err, addr)
		}
	}
}

// Resolve tells such an address only later: the error comes with the attempt.
func TestBadServerNameByResolve(t *testing.T) {
	e := newEngine(t)
	ln := listenAt(t, e, "unix:"+filepath.Join(t.TempDir(), "s"), netasync.ListenOptions{})
	c, err := e.Connect("", netasync.ConnectOptions{TLS: &tls.Config{}, Backoff: quick, MaxAttempts: 1,
		Resolve: func(context.Context) ([]string, error) { return []string{dialable(ln.Addr())}, nil }})
	require.NoError(t, err)
	require.ErrorContains(t, expect(t, c, netasync.Disconnected).Err, "TLS.ServerName")
}

// The zero value of WhileDown is Queue, and there are two.
func TestWhileDownOption(t *testing.T) {
	require.Zero(t, netasync.Queue)
	for _, w := range []netasync.WhileDown{netasync.Queue, netasync.Refuse} {
		_, err := newEngine(t).Connect("127.0.0.1:1", netasync.ConnectOptions{WhileDown: w})
		require.NoError(t, err)
	}
}

// Of the options of resumption 0 is the default, and 1 and whatever is huge are taken.
func TestResumeOptionsAtTheirExtremes(t *testing.T) {
	for _, n := range []int{0, 1, math.MaxInt} {
		unacked := netasync.Buffer{Cap: n, Bytes: n}
		c, server := pair(t,
			netasync.ListenOptions{
				Resume: true, ResumeOnly: true, Unacked: unacked, MaxDetached: n,
				ResumeWindow: []time.Duration{0, 1, math.MaxInt64}[min(n, 2)],
			},
			netasync.ConnectOptions{Resume: true, Unacked: unacked, ResendLost: n > 0})
		go echoSession(server)
		texts := testkit.Texts(100)
		go send(t, c, texts...)
		expectMessages(t, c, texts...)
	}
}

// The smallest and the largest values that make sense are taken.
func TestExtremeOptions(t *testing.T) {
	c, server := pair(t,
		netasync.ListenOptions{
			ReadBuffer: netasync.Buffer{Cap: 1, Bytes: 1}, WriteBuffer: netasync.Buffer{Cap: 1, Bytes: 1},
			HeartbeatPeriod: time.Millisecond, HeartbeatTimeout: time.Hour,
			MaxPayload: math.MaxInt32, AcceptBuffer: 1, MaxSessions: 1, OnEvent: nil,
			MaxSessionsPerAddr: 1, MaxPending: 1, HandshakeTimeout: 1, WriteTimeout: math.MaxInt64,
		},
		netasync.ConnectOptions{
			ReadBuffer: netasync.Buffer{Cap: math.MaxInt, Bytes: math.MaxInt}, WriteBuffer: netasync.Buffer{Cap: math.MaxInt, Bytes: math.MaxInt},
			HeartbeatPeriod: time.Hour, MaxPayload: 1 << 20, DialTimeout: time.Hour, Linger: time.Hour, MaxAttempts: 1,
		})
	go echoSession(server)
	texts := testkit.Texts(100)
	go send(t, c, texts...)
	expectMessages(t, c, texts...)
}

// Options are copied: what the caller changes later changes nothing.
func TestOptionsAreCopied(t *testing.T) {
	ln := testkit.Listen(t)
	addrs := []string{ln.Addr().String()}
	c := connect(t, newEngine(t), testkit.DeadAddr(t), netasync.ConnectOptions{Addrs: addrs, Backoff: quick})
	addrs[0] = "changed"
	testkit.Accept(t, ln)
	expect(t, c, netasync.Connected)
}
