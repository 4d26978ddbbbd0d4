package engine

import (
	"context"
	"fmt"
	"log/slog"
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
