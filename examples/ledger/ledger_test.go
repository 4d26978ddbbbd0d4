package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// spend spends a day that ends with so many cuts.
func spend(t *testing.T, resume bool, cuts int) sheet {
	t.Helper()
	d := newDay(options{lasts: time.Hour, cuts: 8 * time.Millisecond, pace: time.Second / 20_000}, resume)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	over := make(chan error)
	go func() { over <- d.spend(ctx, io.Discard) }()
	for d.link.Cuts() < cuts && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	cancel()
	require.NoError(t, <-over)
	require.GreaterOrEqual(t, d.link.Cuts(), cuts)
	result, err := d.result()
	require.NoError(t, err)
	t.Log(result)
	b := balance(d.banks)
	require.Zero(t, b.onTheWay)
	require.Greater(t, b.arrived, cuts)
	missing := b.before - b.accounts
	for _, bank := range d.banks {
		missing -= bank.heard.Money - bank.arrived.Money
		require.Positive(t, bank.arrived.Transfers, "transfers go both ways")
	}
	require.Zero(t, missing, "what is short is what the lost transfers were worth")
	return b
}

// With Resume nothing is lost, and nothing is made twice, whenever the link is cut.
func TestResumeKeepsTheSum(t *testing.T) {
	t.Parallel()
	b := spend(t, true, 200)
	require.Equal(t, b.before, b.accounts)
	require.Zero(t, b.lost)
	require.Zero(t, b.twice)
}

// Without, what is on its way when the link is cut is lost, never made twice, and known at the end.
func TestPlainLoses(t *testing.T) {
	t.Parallel()
	b := spend(t, false, 100)
	require.Greater(t, b.lost, 10)
	require.Zero(t, b.twice)
	require.Less(t, b.accounts, b.before)
}

// The program shows both ways, with a line for each second.
func TestRun(t *testing.T) {
	t.Parallel()
	o, err := parse(strings.Fields("-for 1100ms -cuts 20ms -transfers 5000"))
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, run(testkit.Context(t), o, &out))
	require.Regexp(t, `(?s)\A
plain \(at most once\), a cut every 20ms
  1s +\d+ transfers +\d+ cuts  sum \d+ of 2000000, of which \d+ are on their way
plain \(at most once\): .*
Resume \(exactly once\), a cut every 20ms
  1s +\d+ transfers +\d+ cuts  sum 2000000 of 2000000, of which \d+ are on their way
Resume \(exactly once\): 0 of \d+ transfers lost, 0 made twice, by \d+ cuts; the sum is what it was
\z`, out.String())
}

// Only a sum that has changed with Resume is an error.
func TestResult(t *testing.T) {
	for _, resume := range []bool{false, true} {
		d := newDay(options{cuts: time.Second}, resume)
		text, err := d.result()
		require.NoError(t, err)
		require.Contains(t, text, "the sum is what it was")
		d.banks[0].accounts[3] -= 7
		text, err = d.result()
		require.Equal(t, resume, err != nil)
		require.Contains(t, text, "the sum is short by 7")
	}
}

// A transfer that comes again is noticed, and one that is missing.
func TestBooks(t *testing.T) {
	banks := newDay(options{cuts: time.Second}, true).banks
	var sent [4][]byte
	for i := range sent {
		_, transfer := banks[0].withdraw()
		sent[i], _ = json.Marshal(transfer)
	}
	arrives := func(n, lost, twice int) {
		t.Helper()
		banks[1].receive(sent[n])
		b := balance(banks)
		require.Equal(t, []int{lost, twice}, []int{b.lost, b.twice})
		require.Equal(t, b.settled, b.onTheWay == 0)
	}
	arrives(0, 0, 0)
	arrives(2, 1, 0)
	arrives(2, 1, 1)
	arrives(0, 1, 2)
	arrives(3, 1, 2)
	arrives(1, 0, 2) // on a connection that was read later
}

// A transfer that was not taken has not been made.
func TestPutBack(t *testing.T) {
	b := newBank()
	from, transfer := b.withdraw()
	require.Positive(t, transfer.Amount)
	require.Equal(t, money-transfer.Amount, b.accounts[from])
	require.Equal(t, tally{1, transfer.Amount}, b.sent)
	b.putBack(from, transfer.Amount)
	require.Equal(t, newBank(), b)
}

func TestFlags(t *testing.T) {
	for _, line := range []string{
		"-for 0s", "-for -1s", "-for soon", "-cuts 0s", "-cuts 999us", "-transfers 0", "-transfers -1",
		"-transfers 100001", "-resume=maybe", "-nonsense", "word",
	} {
		_, err := parse(strings.Fields(line))
		require.Error(t, err, line)
		flag, _, _ := strings.Cut(line, " ")
		flag, _, _ = strings.Cut(flag, "=")
		require.Contains(t, err.Error(), flag)
		require.NotContains(t, err.Error(), "\n")
	}
	for line, ways := range map[string][]bool{"": {false, true}, "-resume": {true}, "-resume=false": {false}} {
		o, err := parse(strings.Fields(line))
		require.NoError(t, err)
		require.Equal(t, ways, o.ways)
	}
}
