package debugpage

import (
	"slices"
	"time"
)

// events are the latest lifecycle events, the newest first.
type events struct {
	Events []event `json:"events"`
}

type event struct {
	Time    time.Time `json:"time"`
	Source  int       `json:"source"`
	Session uint64    `json:"session"`
	Name    string    `json:"name"`
	Remote  string    `json:"remote"`
	Kind    string    `json:"kind"`
	Epoch   uint64    `json:"epoch"`
	Resumed bool      `json:"resumed,omitempty"`
	Queued  int       `json:"queued,omitempty"`
	Lost    int32     `json:"lost,omitempty"`
	Error   string    `json:"error,omitempty"`
}

func eventsOf(sources []Source) events {
	all := []event{}
	for i, source := range sources {
		for _, ev := range source.History().Events() {
			all = append(all, event{
				Time: ev.Time, Source: i, Session: ev.Session, Name: ev.Name, Remote: ev.Remote.String(),
				Kind: ev.Kind.String(), Epoch: ev.Epoch, Resumed: ev.Resumed, Queued: ev.Queued, Lost: ev.Lost,
				Error: clipped(textOf(ev.Err)),
			})
		}
	}
	slices.Reverse(all) // so that of the same instant the later one comes first
	slices.SortStableFunc(all, func(a, b event) int { return b.Time.Compare(a.Time) })
	return events{all}
}

// closed are the sessions that closed last, the newest first.
type closed struct {
	Sessions []details `json:"sessions"`
}

func closedOf(sources []Source) closed {
	all := []details{}
	for i, source := range sources {
		for _, c := range source.History().Closed() {
			d := detailsOfClosed(&c, i)
			d.Identity, d.LastError, d.Why = clipped(d.Identity), clipped(d.LastError), clipped(d.Why)
			all = append(all, d)
		}
	}
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b details) int { return b.Closed.Compare(*a.Closed) })
	return closed{all}
}
