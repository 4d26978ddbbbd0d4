// Package proof is a test: three nodes of a cluster, each a process on a host of its own, which is a
// network namespace, under faults. Nodes are killed, stopped, unplugged and cut off from one another
// while clients and nodes send numbered messages; what each has sent and got is written down, and
// compared in the end. README.md says what is proved.
//
//	go test ./proof                        some of everything, in two minutes; as root, on Linux
//	go test -v ./proof -length 10m -clients 5000      as long and as many as is wanted, with figures
//
// The test's binary runs three times over: as itself, which makes the namespaces, runs the tests in one of
// them and removes them all; as the tests; and as a node, which ends with its standard input.
package proof
