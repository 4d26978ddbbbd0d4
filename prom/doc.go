// Package prom gives the figures of package netasync to Prometheus. [NewCollector] makes metrics of
// the Totals and Stats of engines and handlers whenever somebody scrapes. Nothing is counted twice, and
// nothing is added to the way of a message.
//
//	prometheus.MustRegister(prom.NewCollector(engine))
//	http.Handle("/metrics", promhttp.Handler())
//
// # Names
//
// The label name is what the options Name of netasync.ConnectOptions and netasync.ListenOptions say:
// a kind of sessions, such as "agents", and never a peer. The program chooses it, there are to be few,
// and each has some thirty series for as long as its engine is known here. Without the option it is
// the address of a listener, "handler", or "dialed". No other label has a value that comes from outside:
// all of them are words of the table in the README.
//
// # What is not here
//
// There are no histograms. How long a message takes would need a time stamp of each, which costs more
// than to pass the message on. What is slow shows in the queues.
//
// dashboard.json is a dashboard for Grafana, and alerts.yml are rules for Prometheus.
package prom
