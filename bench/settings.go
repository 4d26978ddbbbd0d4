package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/measure"
)

var profiles = map[string]func(measure.Asked) measure.Profile{
	"quick":         measure.Quick,
	"full":          measure.Full,
	"growth":        measure.Growth,
	"broadcast":     measure.Broadcast,
	"cluster":       measure.Cluster,
	"compare":       measure.Compare,
	"compare-quick": measure.CompareQuick,
}

// settings are what a person asks of a run.
type settings struct {
	profile string
	out     string
	name    string
	rounds  int
	only    string
	note    string
	asked   measure.Asked
}

func parse(args []string) (settings, error) {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	var s settings
	flags.StringVar(&s.profile, "profile", "quick", "quick, full, growth, broadcast, cluster, compare or compare-quick")
	flags.StringVar(&s.out, "out", "", "directory for the figures and plots (none: they are made and thrown away)")
	flags.StringVar(&s.name, "name", "latest", "name of the file of figures")
	flags.IntVar(&s.rounds, "rounds", 0, "rounds (0: as the profile has it)")
	flags.StringVar(&s.only, "only", "", "regular expression of the cases' keys to measure (empty: all)")
	flags.StringVar(&s.note, "note", "", "what to keep with the figures, such as the commits of a comparison")
	before := flags.String("before", "", "program to compare with: this benchmark, built in another checkout")
	flags.DurationVar(&s.asked.Warm, "warm", 0, "time of each load before measuring (0: as the profile has it)")
	flags.DurationVar(&s.asked.Measure, "measure", 0, "time of each load to measure (0: as the profile has it)")
	flags.IntVar(&s.asked.Idle, "idle", 0, "sessions of the idle case (0: as the profile has it)")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if profiles[s.profile] == nil {
		return s, fmt.Errorf("no profile %q", s.profile)
	}
	if compares := strings.HasPrefix(s.profile, "compare"); compares != (*before != "") {
		return s, fmt.Errorf("the profiles that compare, and no others, want -before")
	}
	if *before == "" {
		return s, nil
	}
	path, err := filepath.Abs(*before)
	s.asked.Before = child.Program(path)
	return s, err
}
