package main

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/netasync/netasync/bench/internal/report"
	"github.com/netasync/netasync/bench/internal/result"
)

// readmes are the texts with tables out of runs in them.
var readmes = []string{"README.md", "../README.md", "../cluster/README.md"}

// table shows a run again from its file.
func table(args []string) error {
	flags := flag.NewFlagSet("table", flag.ExitOnError)
	in := flags.String("in", "results/latest.json", "file of figures")
	out := flags.String("out", "results", "directory for the plots")
	write := flags.Bool("write", false, "put the tables into the READMEs, too, from the files beside -in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f, err := result.Read(*in)
	if err != nil {
		return err
	}
	if err := tell(f); err != nil {
		return err
	}
	if err := draw(f, *out); err != nil || !*write {
		return err
	}
	for _, path := range readmes {
		text, err := inserted(path, filepath.Dir(*in))
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// inserted is a text with what the runs of a directory say.
func inserted(path, runs string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return report.Insert(string(text), func(run string) (*result.File, error) {
		f, err := result.Read(filepath.Join(runs, run+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return f, err
	})
}
