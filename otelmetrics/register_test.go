package otelmetrics_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
	"github.com/netasync/netasync/otelmetrics"
)

var update = flag.Bool("update", false, "write the README's table anew")

// Each instrument shows the figure that it is to show: the one that package prom shows.
func TestEachFigureHasItsInstrument(t *testing.T) {
	require.Equal(t, ofProm(t, "testdata/everything.txt"), scrape(t, everything()).String())
}

// What engines live through is told exactly, by each and by all together, as package prom tells it.
func TestScriptedEngines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client, mobile := script(t)
		text := "# server\n" + scrape(t, server).String() + "# client\n" + scrape(t, client).String() +
			"# mobile\n" + scrape(t, mobile).String()
		require.Equal(t, ofProm(t, "testdata/script.txt"), text)
		all := scrape(t, server, client, mobile)
		require.EqualValues(t, 7, all[`netasync_messages_total{direction="receive",name="shop"}`])
		require.EqualValues(t, 5, all[`netasync_messages_total{direction="transmit",name="shop"}`])
	})
}

// What has the same name in several sources is summed, and so is what has no name.
func TestSourcesAreSummed(t *testing.T) {
	once, twice := scrape(t, everything()), scrape(t, everything(), everything())
	require.Len(t, twice, len(once))
	for key, value := range once {
		require.Equal(t, 2*value, twice[key], key)
	}
	require.Empty(t, scrape(t))
}

// A name that is no text is shown as well as it can be: an exporter may refuse all figures otherwise.
func TestNamesThatAreNoText(t *testing.T) {
	all := scrape(t, &scripted{totals: map[string]netasync.Totals{"a\xff": {Received: 1}, "a\xfe": {Received: 2}, "": {Received: 3}}})
	require.EqualValues(t, 3, all[`netasync_messages_total{direction="receive",name="a�"}`], "both")
	require.EqualValues(t, 3, all[`netasync_messages_total{direction="receive",name=""}`])
}

// Directions of messages are told by the stable convention, and all else by names of our own.
func TestAttributesByConvention(t *testing.T) {
	reader, _ := newReader(t, everything())
	for _, m := range collect(t, reader) {
		text := fmt.Sprint(m)
		require.Equal(t, strings.Contains(text, "transmit"), strings.Contains(text, "network.io.direction"), text)
		require.Regexp(t, `^netasync\.[a-z_]+$`, m.Name)
		require.Regexp(t, `^({[a-z]+}|By)$`, m.Unit)
		require.NotEmpty(t, m.Description)
	}
}

// Three hundred sessions come and go on both sides of a network that is cut all the time, and nobody who
// looks ever sees a counter smaller than before; nor when the engines end, and afterwards.
func TestCountersNeverDecrease(t *testing.T) {
	const sessions, workers = 300, 10
	n := netasynctest.NewNetwork(t)
	server, client := n.Engine("server", netasync.EngineOptions{}), n.Engine("client", netasync.EngineOptions{})
	l, err := server.Listen("server:1", netasync.ListenOptions{Name: "both", OnEvent: func(*netasync.Session, netasync.Event) {}})
	require.NoError(t, err)
	reader, _ := newReader(t, server, client)
	var last figures
	looks := 0
	look := func() {
		now := flatten(t, collect(t, reader))
		for key, value := range last {
			if strings.Contains(key, "_total") && now[key] < value {
				t.Errorf("%s was %d, and then %d", key, value, now[key])
			}
		}
		last = now
		looks++
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var looking, work sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			look()
		}
	})
	for range workers {
		work.Go(func() {
			for range sessions / workers {
				s, err := client.Connect(l.Addr().String(), netasync.ConnectOptions{
					Name: "both", Backoff: netasync.FixedDelay(time.Millisecond), Linger: 20 * time.Millisecond,
				})
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.WaitConnected(t.Context()); err != nil {
					t.Error(err)
				}
				s.WriteChan() <- []byte("message")
				n.Link("client", "server").Cut(nil)
				_ = s.Close()
				for range s.ReadChan() {
				}
			}
		})
	}
	work.Wait()
	for _, e := range []*netasync.Engine{client, server} {
		down, cancel := context.WithTimeout(t.Context(), netasynctest.Patience)
		_ = e.Shutdown(down) // what the cuts have left unsent is no failure
		cancel()
	}
	stop()
	looking.Wait()
	look()
	require.Greater(t, looks, 5)
	require.GreaterOrEqual(t, last[`netasync_connections_total{kind="dialed",name="both"}`], int64(sessions))
	require.NotZero(t, last[`netasync_connections_total{kind="accepted",name="both"}`])
	require.Zero(t, last[`netasync_sessions{kind="dialed",name="both",state="connected"}`])
}

// After Unregister the sources are not asked any more.
func TestUnregister(t *testing.T) {
	source := &asked{scripted: everything()}
	reader, unregister := newReader(t, source)
	require.NotEmpty(t, collect(t, reader))
	require.Equal(t, 1, source.times)
	require.NoError(t, unregister())
	require.Empty(t, flatten(t, collect(t, reader)))
	require.Equal(t, 1, source.times)
}

// asked counts how often it is asked.
type asked struct {
	*scripted
	times int
}

func (a *asked) Stats() netasync.Stats { a.times++; return a.scripted.Stats() }

// What a meter refuses is an error, whichever instrument it is, and the callback, too.
func TestMeterThatRefuses(t *testing.T) {
	const instruments = 18
	for n := range instruments + 1 {
		m := &refusing{left: n}
		registration, err := otelmetrics.Register(m)
		require.ErrorIs(t, err, errRefused)
		require.Nil(t, registration)
	}
	_, err := otelmetrics.Register(&refusing{left: instruments + 1})
	require.NoError(t, err)
}

var errRefused = errors.New("refused")

// refusing is a meter that takes some calls.
type refusing struct {
	noop.Meter
	left int
}

func (m *refusing) take() error {
	if m.left--; m.left < 0 {
		return errRefused
	}
	return nil
}

func (m *refusing) Int64ObservableCounter(string, ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return noop.Int64ObservableCounter{}, m.take()
}

func (m *refusing) Int64ObservableUpDownCounter(string, ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	return noop.Int64ObservableUpDownCounter{}, m.take()
}

func (m *refusing) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	if err := m.take(); err != nil {
		return nil, err
	}
	return noop.Registration{}, nil
}
