package report

import "github.com/netasync/netasync/bench/internal/result"

// Judge holds a run against the targets.
func Judge(f *result.File) []result.Verdict {
	var verdicts []result.Verdict
	for _, t := range targets() {
		verdicts = append(verdicts, t.judge(f))
	}
	return verdicts
}

func (t target) judge(f *result.File) result.Verdict {
	v := result.Verdict{What: t.what, Lower: t.lower, Least: t.least, Aim: t.aim, Reached: result.NotMeasured}
	value, ok := t.value(medians(f))
	if !ok {
		return v
	}
	v.Value, v.Min, v.Max = value, value, value
	for round := range f.Rounds {
		if one, ok := t.value(inRound(f, round)); ok {
			v.Min, v.Max = min(v.Min, one), max(v.Max, one)
		}
	}
	switch {
	case t.reaches(value, t.aim):
		v.Reached = result.ReachedAim
	case t.reaches(value, t.least):
		v.Reached = result.ReachedLeast
	default:
		v.Reached = result.FellShort
	}
	return v
}

func (t target) reaches(value, goal float64) bool {
	if t.lower {
		return value <= goal
	}
	return value >= goal
}

func medians(f *result.File) look {
	return func(key, subject, metric string) (float64, bool) {
		figure := f.Lookup(key, subject, metric)
		if figure == nil {
			return 0, false
		}
		return figure.Median, true
	}
}

func inRound(f *result.File, round int) look {
	return func(key, subject, metric string) (float64, bool) {
		figure := f.Lookup(key, subject, metric)
		if figure == nil || round >= len(figure.Rounds) {
			return 0, false
		}
		return figure.Rounds[round], true
	}
}
