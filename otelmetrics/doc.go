// Package otelmetrics gives the figures of package netasync to OpenTelemetry. [Register] makes
// observable instruments, whose one callback asks the Totals and Stats of engines and handlers whenever
// a reader collects. Nothing is counted twice, and nothing is added to the way of a message.
//
//	registration, err := otelmetrics.Register(otel.Meter("my program"), engine)
//
// It needs the API of OpenTelemetry alone. Which SDK reads, and where it exports to, is the program's
// choice.
//
// # Names
//
// The instruments are called netasync.something, not messaging.something: those conventions are about
// brokers, and are in development. Where a convention is stable it is used: network.io.direction. An
// exporter to Prometheus makes the same names of them as package prom has.
//
// The attribute netasync.name is what the options Name of netasync.ConnectOptions and
// netasync.ListenOptions say: a kind of sessions, such as "agents", and never a peer. The program chooses
// it, there are to be few, and each has some thirty series for as long as its engine is registered.
// Without the option it is the address of a listener, "handler", or "dialed". No other attribute has a
// value that comes from outside: all of them are words of the table in the README.
//
// # What is not here
//
// There are no histograms and no spans. How long a message takes would need a time stamp of each, which
// costs more than to pass the message on, and the library does not know which message answers which.
// What is slow shows in netasync.queue_messages.
package otelmetrics
