package report

import (
	"fmt"

	"gonum.org/v1/plot"
)

// linearTicks puts ticks where plot would, and writes them short.
func linearTicks(low, high float64) []plot.Tick {
	return readable(plot.DefaultTicks{}.Ticks(low, high))
}

// logTicks leaves out the ticks beyond the ends of the axis, for which plot would keep room.
func logTicks(low, high float64) []plot.Tick {
	var inside []plot.Tick
	for _, t := range (plot.LogTicks{Prec: -1}).Ticks(low, high) {
		if t.Value >= low && t.Value <= high {
			inside = append(inside, t)
		}
	}
	return readable(inside)
}

func readable(ticks []plot.Tick) []plot.Tick {
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = round(ticks[i].Value)
		}
	}
	return ticks
}

func round(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	default:
		return fmt.Sprintf("%g", v)
	}
}
