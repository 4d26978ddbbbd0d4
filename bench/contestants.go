package main

import (
	"maps"

	"github.com/netasync/netasync/bench/internal/calls"
	"github.com/netasync/netasync/bench/internal/ours"
	"github.com/netasync/netasync/bench/internal/pair"
	"github.com/netasync/netasync/bench/internal/rival"
	"github.com/netasync/netasync/bench/internal/storm"
)

// servers are all echo servers that are part of this program.
func servers() map[string]rival.Start {
	all := maps.Clone(rival.Servers)
	maps.Copy(all, ours.Servers)
	return all
}

// libraries are all message libraries.
func libraries() map[string]pair.Library {
	all := maps.Clone(pair.Libraries)
	maps.Copy(all, ours.Pairs)
	return all
}

// callers are all libraries of calls.
func callers() map[string]calls.Library {
	all := maps.Clone(calls.Libraries)
	all["netasync"], all["netasync-resume"] = ours.Calls, ours.CallsResumed
	return all
}

// fleets are all that keep sessions dialed.
func fleets() map[string]storm.Fleet {
	all := maps.Clone(storm.Fleets)
	all["netasync"] = ours.Fleet
	return all
}
