package engine

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
)

// gnetLogger passes gnet's log lines on.
type gnetLogger struct{ log *slog.Logger }

func (g gnetLogger) line(level slog.Level, format string, args []any) {
	if g.log.Enabled(context.Background(), level) {
		g.log.Log(context.Background(), level, "gnet: "+fmt.Sprintf(format, args...))
	}
}

// What gnet calls information is a library's detail here.
func (g gnetLogger) Debugf(format string, args ...any) { g.line(slog.LevelDebug, format, args) }
func (g gnetLogger) Infof(format string, args ...any)  { g.line(slog.LevelDebug, format, args) }
func (g gnetLogger) Warnf(format string, args ...any)  { g.line(slog.LevelWarn, format, args) }
func (g gnetLogger) Errorf(format string, args ...any) { g.line(slog.LevelError, format, args) }
func (g gnetLogger) Fatalf(format string, args ...any) { g.line(slog.LevelError, format, args) }

// startClient starts gnet's loops with a logger of their own. gnet.WithLogger would replace the
// logger of all that gnet does in the process: without it, NewClient leaves that one in place, and
// the loops use the one in the options, which NewClient keeps.
func startClient(h gnet.EventHandler, log *slog.Logger, options ...gnet.Option) (*gnet.Client, error) {
	var own *gnet.Options
	client, err := gnet.NewClient(h, append(options, func(o *gnet.Options) { own = o })...)
	if err != nil {
		return nil, err
	}
	own.Logger = gnetLogger{log}
	defer divert(log)()
	if err := client.Start(); err != nil {
		return nil, err
	}
	return client, nil
}

// startLine is what a starting client writes to the process's logger, which is stdout by default.
const startLine = "Starting gnet client with %d event loops"

// diverted stands in for the process's logger while a client starts: it takes the line that is
// ours, and passes on all others. Who gets hold of it meanwhile may keep it.
type diverted struct {
	logging.Logger
	ours gnetLogger
}

func (d *diverted) Infof(format string, args ...any) {
	if format == startLine {
		d.ours.Infof(format, args...)
		return
	}
	d.Logger.Infof(format, args...)
}

// divert puts a diverted in the place of the process's logger, until the function that it returns
// is called. Who replaces that logger meanwhile has the last word.
func divert(log *slog.Logger) (restore func()) {
	before := logging.GetDefaultLogger()
	if d, ok := before.(*diverted); ok { // another engine starts
		before = d.Logger
	}
	d := &diverted{before, gnetLogger{log}}
	logging.SetDefaultLoggerAndFlusher(d, logging.GetDefaultFlusher())
	return func() {
		if logging.GetDefaultLogger() == d {
			logging.SetDefaultLoggerAndFlusher(before, logging.GetDefaultFlusher())
		}
	}
}
