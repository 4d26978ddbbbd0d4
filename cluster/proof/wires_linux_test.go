package proof

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The hub is a namespace of cables: between each two hosts there is a bridge of two ports, and one
// bridge leads from all of them to the clients, who are in the hub itself. So each link can be cut on its
// own, and no host notices more of that than that nothing comes any more: unless its cable is pulled.
//
//	host 0 ──p01─[b01]─p10── host 1     host 0 ──p0─┐
//	host 0 ──p02─[b02]─p20── host 2     host 1 ──p1─[bc]─ clients
//	host 1 ──p12─[b12]─p21── host 2     host 2 ──p2─┘

// address is a host's. It is in no network of another process: the namespaces are this one's alone.
func address(i int) string { return fmt.Sprint("10.77.0.", i+1) }

const clientsAddress = "10.77.0.100"

// wire lays all cables. The calling process is in the hub.
func wire(hub string) error {
	lines := []string{"link set lo up", "link add bc type bridge", "link set bc up", "addr add " + clientsAddress + "/32 dev bc"}
	for i := range nodes {
		for j := range i {
			b := bridge(i, j)
			lines = append(lines, "link add "+b+" type bridge", "link set "+b+" up")
		}
	}
	for i := range nodes {
		lines = append(lines, cable(hub, i, fmt.Sprint("p", i), "toc", "bc")...)
		lines = append(lines, fmt.Sprintf("route add %s/32 dev bc src %s", address(i), clientsAddress))
		for j := range nodes {
			if i != j {
				lines = append(lines, cable(hub, i, port(i, j), fmt.Sprint("to", j), bridge(i, j))...)
			}
		}
	}
	if err := ipBatch(lines...); err != nil {
		return err
	}
	for i := range nodes {
		lines = []string{"link set lo up", fmt.Sprintf("addr add %s/32 dev lo", address(i)), "link set toc up",
			fmt.Sprintf("route add %s/32 dev toc src %s", clientsAddress, address(i))}
		for j := range nodes {
			if i != j {
				lines = append(lines, fmt.Sprintf("link set to%d up", j),
					fmt.Sprintf("route add %s/32 dev to%d src %s", address(j), j, address(i)))
			}
		}
		for _, line := range lines {
			if err := ip("-n " + hostName(hub, i) + " " + line); err != nil {
				return err
			}
		}
	}
	return nil
}

// cable is how a port of a bridge leads to a host.
func cable(hub string, i int, port, there, bridge string) []string {
	return []string{
		fmt.Sprintf("link add %s type veth peer name %s netns %s", port, there, hostName(hub, i)),
		fmt.Sprintf("link set %s master %s", port, bridge),
		fmt.Sprintf("link set %s up", port),
	}
}

func bridge(i, j int) string   { return fmt.Sprintf("b%d%d", min(i, j), max(i, j)) }
func port(i, other int) string { return fmt.Sprintf("p%d%d", i, other) }

// unplug pulls all cables of a host, or plugs them in again.
func unplug(t testing.TB, i int, pulled bool) {
	t.Helper()
	lines := []string{setLink(fmt.Sprint("p", i), pulled)}
	for j := range nodes {
		if i != j {
			lines = append(lines, setLink(port(i, j), pulled))
		}
	}
	require.NoError(t, ipBatch(lines...))
}

// part cuts one host off from the others, or joins them again. Clients reach all of them.
func part(t testing.TB, i int, parted bool) {
	t.Helper()
	var lines []string
	for j := range nodes {
		if i != j {
			lines = append(lines, setLink(bridge(i, j), parted))
		}
	}
	require.NoError(t, ipBatch(lines...))
}

func setLink(name string, down bool) string {
	if down {
		return "link set " + name + " down"
	}
	return "link set " + name + " up"
}
