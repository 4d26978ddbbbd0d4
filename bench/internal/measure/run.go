package measure

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/netasync/netasync/bench/internal/result"
)

// patience is how long one measurement may take before it counts as stuck.
const patience = 4 * time.Minute

// Run carries a profile out into the file, round by round, so that whatever else the machine does hits every
// subject alike. What fails is noted in the file, and the rest goes on.
func Run(ctx context.Context, p Profile, into *result.File, progress io.Writer) {
	into.Rounds = p.Rounds
	start := time.Now()
	for round := range p.Rounds {
		for _, c := range p.Cases {
			if c.Rounds() > 0 && round >= c.Rounds() {
				continue
			}
			info := c.Info()
			fmt.Fprintf(progress, "%4.0fs round %d of %d: %s\n", time.Since(start).Seconds(), round+1, p.Rounds, info.Title)
			for _, subject := range paired(shuffled(c.Subjects(), round), round) {
				if ctx.Err() != nil {
					into.Failures = append(into.Failures, ctx.Err().Error())
					return
				}
				if err := one(ctx, c, subject, into); err != nil {
					into.Failures = append(into.Failures, fmt.Sprintf("%s, %s: %v", info.Title, subject, err))
					fmt.Fprintf(progress, "      %s failed: %v\n", subject, err)
				}
			}
		}
	}
}

func one(ctx context.Context, c Case, subject string, into *result.File) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := c.Measure(ctx, subject)
	if err != nil {
		return err
	}
	into.Add(c.Info(), s)
	return nil
}

// shuffled gives each round another order, so that no subject always follows the same.
func shuffled(subjects []string, round int) []string {
	order := slices.Clone(subjects)
	chance := rand.New(rand.NewPCG(uint64(round), uint64(len(order))))
	chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}
