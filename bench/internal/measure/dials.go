package measure

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialWindow is over what time the peak of the dial rate is taken.
const dialWindow = 100 * time.Millisecond

// dialCount watches how many connections the system is asked to open, attempts that are refused included: the one
// figure that does not depend on what the dialing library says about itself.
type dialCount struct {
	quit chan struct{} // closed by stop
	done chan struct{} // closed by run
	peak float64       // dials per second; read after done
	err  error         // read after done
}

func countDials() *dialCount {
	d := &dialCount{quit: make(chan struct{}), done: make(chan struct{})}
	go d.run()
	return d
}

func (d *dialCount) run() {
	defer close(d.done)
	tick := time.NewTicker(dialWindow)
	defer tick.Stop()
	last, err := activeOpens()
	at := time.Now()
	for err == nil {
		select {
		case <-d.quit:
			return
		case <-tick.C:
		}
		var now float64
		if now, err = activeOpens(); err == nil {
			since := time.Since(at)
			// A late tick makes a longer window, a tick right after it a short one that says nothing.
			if since >= dialWindow/2 {
				d.peak = max(d.peak, (now-last)/since.Seconds())
				last, at = now, time.Now()
			}
		}
	}
	d.err = err
}

func (d *dialCount) stop() (peak float64, err error) {
	close(d.quit)
	<-d.done
	return d.peak, d.err
}

// activeOpens reads the system's count of connections that were begun.
func activeOpens() (float64, error) {
	text, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return 0, err
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		if i := slices.Index(names, "ActiveOpens"); i >= 0 && i < len(words) {
			return strconv.ParseFloat(words[i], 64)
		}
	}
	return 0, fmt.Errorf("the system does not count opened connections")
}

// ephemeral is the lowest port that the system gives to sockets that do not ask for one.
func ephemeral() (int, error) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, err
	}
	words := strings.Fields(string(text))
	if len(words) == 0 {
		return 0, fmt.Errorf("no range of local ports")
	}
	return strconv.Atoi(words[0])
}
