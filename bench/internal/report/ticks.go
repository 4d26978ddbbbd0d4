package report

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
)

// linearTicks puts ticks where plot would, and writes them short.
func linearTicks(low, high float64) []plot.Tick {
	return readable(plot.DefaultTicks{}.Ticks(low, high))
}

// positiveTicks are those of bars, which begin at 0; what is below it is room for their names.
func positiveTicks(_, high float64) []plot.Tick {
	ticks := linearTicks(0, high)
	return slices.DeleteFunc(ticks, func(t plot.Tick) bool { return t.Value < 0 || t.Value > high })
}

// logTicksBeside are those of an upright axis. Their labels end at it: spaces keep a distance from it in a font that is
// wider than the one gonum measures with.
func logTicksBeside(low, high float64) []plot.Tick {
	ticks := logTicks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label += "   "
		}
	}
	return ticks
}

// logTicksTo ends with the data: what is beyond is room for the legend.
func logTicksTo(most float64) plot.TickerFunc {
	return func(low, _ float64) []plot.Tick { return logTicks(low, most) }
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
