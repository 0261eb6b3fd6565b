package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/trail"
)

// logs are the two streams of a server's log, which are one to the reader.
type logs struct {
	*slog.Logger
	// requests takes one line of JSON for each request.
	requests io.Writer
}

// check returns what is wrong with the settings.
func (l *logSettings) check() error {
	if n := l.RequestLogKept; n != 0 && (n < 10 || n > 5000) {
		return mend(fmt.Errorf("request_log_kept is %d", n), "choose 10 to 5000; to keep none, set request_log to off")
	}
	return nil
}

// trail returns what writes requests down, or nil.
func (l *logSettings) trail(store symbolon.Trail, log *slog.Logger) *trail.Recorder {
	if l.RequestLog == "off" || store == nil {
		return nil
	}
	return trail.New(trail.Options{Store: store, Keep: l.RequestLogKept, Log: log})
}

// logs returns the log of a server. Quiet is what auto means: few lines that
// people can read.
func (l *logSettings) logs(w io.Writer, quiet bool) logs {
	level := slog.LevelInfo
	if quiet {
		level = slog.LevelWarn
	}
	if l.LogLevel != "auto" && l.LogLevel != "" {
		level.UnmarshalText([]byte(l.LogLevel)) //nolint:errcheck // one of the four that it knows
	}
	options := &slog.HandlerOptions{Level: level}
	if l.LogFormat == "text" || l.LogFormat != "json" && quiet {
		options.ReplaceAttr = readable
		log := slog.New(slog.NewTextHandler(w, options))
		return logs{log, &requestLog{to: log.Handler(), level: level}}
	}
	options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.String("time", a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		return a
	}
	log := slog.New(slog.NewJSONHandler(w, options))
	if level <= slog.LevelInfo {
		return logs{log, w} // as it is: this is on the way of each request
	}
	return logs{log, &requestLog{to: log.Handler(), level: level}}
}

// readable shortens what stands in front of each line.
func readable(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.String("time", a.Value.Time().UTC().Format("15:04:05"))
	}
	if len(groups) == 0 && a.Key == slog.LevelKey {
		return slog.String("level", strings.ToLower(a.Value.String()))
	}
	return a
}

// requestLog writes the lines of requests that are grave enough, in the form of
// the other lines.
type requestLog struct {
	to    slog.Handler
	level slog.Level
}

// requestFields are the fields of a request's line, in their order.
var requestFields = []string{"request_id", "method", "route", "status", "ms", "address", "client_id", "account", "connection", "error", "detail", "note", "trace_id"}

// Write implements io.Writer for one line.
func (l *requestLog) Write(line []byte) (int, error) {
	var fields map[string]any
	var head struct {
		Time  time.Time
		Level slog.Level
		Msg   string
	}
	if err := errors.Join(json.Unmarshal(line, &head), json.Unmarshal(line, &fields)); err != nil {
		return 0, err
	}
	if head.Level < l.level {
		return len(line), nil
	}
	record := slog.NewRecord(head.Time, head.Level, head.Msg, 0)
	for _, name := range requestFields {
		if v, ok := fields[name]; ok {
			record.AddAttrs(slog.Any(name, v))
		}
	}
	return len(line), l.to.Handle(context.Background(), record)
}
