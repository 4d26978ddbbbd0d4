package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/measure"
	"github.com/netasync/netasync/bench/internal/report"
	"github.com/netasync/netasync/bench/internal/result"
	"github.com/netasync/netasync/bench/internal/rival"
)

var errFailed = errors.New("some measurements failed")

// run measures, reports, and keeps the figures and plots in a directory.
func run(args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "netasync-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if s.out == "" {
		s.out = work
	}
	f := &result.File{Machine: result.ThisMachine(time.Now())}
	if s.asked.Before == child.This {
		s.asked.Beam = erlang(work, f)
	}
	if s.note != "" {
		f.Notes = append(f.Notes, s.note)
	}
	p, err := profiles[s.profile](s.asked).Only(s.only)
	if err != nil {
		return err
	}
	if s.rounds > 0 {
		p.Rounds = s.rounds
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	measure.Run(ctx, p, f, os.Stderr)
	judge(f, s)
	return publish(f, s.out, s.name)
}

// judge holds the run against what the library promises, as far as the profile can tell. A
// comparison has its own table for that.
func judge(f *result.File, s settings) {
	if s.asked.Before != child.This {
		if !report.Compares(f) {
			f.Failures = append(f.Failures, "nothing was measured both before and after")
		}
		return
	}
	f.Verdicts = report.Judge(f)
	switch {
	case s.profile == "quick":
		rehearsed(f, s.only)
	case s.profile == "full" && s.only == "": // which leaves broadcasts to a profile of their own
		f.Verdicts = slices.DeleteFunc(f.Verdicts, func(v result.Verdict) bool {
			return v.Reached == result.NotMeasured && strings.HasPrefix(v.What, "broadcast")
		})
	default:
		f.Verdicts = slices.DeleteFunc(f.Verdicts, func(v result.Verdict) bool { return v.Reached == result.NotMeasured })
	}
}

// rehearsed drops the verdicts of a run in miniature, which say nothing, but insists that there is one for every
// target: a target whose case is not measured any more would otherwise go unnoticed.
func rehearsed(f *result.File, only string) {
	for _, v := range f.Verdicts {
		if v.Reached == result.NotMeasured && only == "" {
			f.Failures = append(f.Failures, "nothing was measured for: "+v.What)
		}
	}
	f.Verdicts = nil
	f.Notes = append(f.Notes, "this run shows that everything works; its figures say nothing about speed")
}

// erlang compiles the Erlang server into dir, where Erlang is installed.
func erlang(dir string, f *result.File) measure.Beam {
	release, err := rival.ErlangRelease()
	if err == nil {
		err = rival.CompileErlang(dir)
	}
	if err != nil {
		f.Notes = append(f.Notes, fmt.Sprintf("Erlang is left out: %v", err))
		return ""
	}
	f.Machine.Versions["Erlang/OTP"] = release
	return measure.Beam(dir)
}

// publish prints a run, and keeps it unless something failed: then what was kept before stays.
func publish(f *result.File, dir, name string) error {
	if err := tell(f); err != nil {
		return err
	}
	if len(f.Failures) > 0 {
		return errFailed
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := f.Write(filepath.Join(dir, name+".json")); err != nil {
		return err
	}
	return draw(f, dir)
}

func tell(f *result.File) error {
	if err := report.Print(os.Stdout, f); err != nil {
		return err
	}
	if err := report.PrintGrowth(os.Stdout, f); err != nil {
		return err
	}
	return report.PrintComparison(os.Stdout, f)
}

// draw makes the plots. A comparison has none: they would take the names of the full run's.
func draw(f *result.File, dir string) error {
	if report.Compares(f) {
		return nil
	}
	for _, draw := range []func(*result.File, string) error{report.Bars, report.Distribution, report.GrowthPlots} {
		if err := draw(f, dir); err != nil {
			return err
		}
	}
	return nil
}
