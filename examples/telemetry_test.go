package examples

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// numbersIn returns the numbers of a line, which must have a form whose groups they are.
func numbersIn(t *testing.T, line, form string) []int {
	t.Helper()
	groups := regexp.MustCompile("^" + form + "$").FindStringSubmatch(line)
	if groups == nil {
		t.Fatalf("%q is not of the form %s", line, form)
	}
	var numbers []int
	for _, group := range groups[1:] {
		n, err := strconv.Atoi(group)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

const (
	secondForm = ` +\d+s  (?:up|down) +(\d+) +(\d+) \| +\d+ +\d+ +\d+ +\d+ \| +(\d+)\.\d +(\d+)`
	countsForm = `(\d+) sensors, \d+s, (\d+) restarts: (\d+) connections, \d+ dials, at most \d+ in one second`
	sumForm    = `accepted (\d+) = received (\d+) \+ dropped (\d+) \+ queued (\d+) \+ lost with a connection (\d+)`
	orderForm  = `by their numbers: (\d+) never came, 0 came twice or out of order`
)

// TestTelemetry kills the collector of 50 sensors twice, on real sockets. All come back, the sum is
// exact, and what waits and what is held stays small.
func TestTelemetry(t *testing.T) {
	const sensors, buffer = 50, 20
	// It is down from 2 to 2.5 s and from 4.5 to 5 s, and would be from 7 s: the end is far from all of that.
	end := start(t, "telemetry", "-addr", "127.0.0.1:0", "-sensors", strconv.Itoa(sensors), "-buffer", strconv.Itoa(buffer),
		"-every", "10ms", "-restart", "2s", "-down", "500ms", "-for", "6s").ends(0)
	seconds, last := end.Rest[2:len(end.Rest)-3], end.Rest[len(end.Rest)-3:]
	if len(seconds) < 3 {
		t.Errorf("%d lines in six seconds: %q", len(seconds), end.Rest)
	}
	for _, line := range seconds {
		n := numbersIn(t, line, secondForm)
		connected, queued, heap, goroutines := n[0], n[1], n[2], n[3]
		if connected > sensors || queued > sensors*buffer || heap > 64 || goroutines > 4*sensors+100 {
			t.Errorf("too much: %s", line)
		}
	}
	counts := numbersIn(t, last[0], countsForm)
	if counts[0] != sensors || counts[1] != 2 || counts[2] <= 2*sensors {
		t.Errorf("%s: want %d sensors, two restarts, and everybody to come back", last[0], sensors)
	}
	sum := numbersIn(t, last[1], sumForm)
	accepted, received, dropped, queued, lost := sum[0], sum[1], sum[2], sum[3], sum[4]
	if accepted != received+dropped+queued+lost || received == 0 || dropped == 0 || queued > 0 {
		t.Errorf("%s: want a true sum, with something dropped, and nothing queued as all are back", last[1])
	}
	if never := numbersIn(t, last[2], orderForm)[0]; never > dropped+lost {
		t.Errorf("%d never came, %d were dropped or lost", never, dropped+lost)
	}
}

// TestTelemetryIsInterrupted ends the program by a signal: what was accepted has arrived.
func TestTelemetryIsInterrupted(t *testing.T) {
	p := start(t, "telemetry", "-addr", "127.0.0.1:0", "-sensors", "5", "-restart", "0")
	p.line("  time ")
	p.line(" ")
	end := p.interrupt(os.Interrupt)
	for _, line := range end.Rest {
		if strings.HasPrefix(line, "accepted ") {
			if sum := numbersIn(t, line, sumForm); sum[0] == 0 || sum[0] != sum[1] {
				t.Errorf("%s: want all received", line)
			}
			return
		}
	}
	t.Errorf("no sum in %q", end.Rest)
}
