package result

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is where and with what a run was made.
type Machine struct {
	Date     string            `json:"date"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Memory   uint64            `json:"memory_bytes"`
	System   string            `json:"system"`
	Kernel   string            `json:"kernel"`
	Go       string            `json:"go"`
	Commit   string            `json:"commit,omitempty"` // of this library, if it is known
	Versions map[string]string `json:"versions"`
}

// compared are the modules whose versions matter to a reader of the figures.
var compared = []string{
	"github.com/panjf2000/gnet/v2",
	"github.com/cloudwego/netpoll",
	"go.nanomsg.org/mangos/v3",
	"github.com/go-zeromq/zmq4",
	"github.com/coder/websocket",
	"github.com/nats-io/nats.go",
	"github.com/nats-io/nats-server/v2",
	"github.com/apache/dubbo-getty",
}

// ThisMachine describes the machine and the program that is running.
func ThisMachine(now time.Time) Machine {
	m := Machine{
		Date: now.UTC().Format(time.RFC3339), Cores: runtime.NumCPU(), CPU: cpuModel(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Versions: map[string]string{},
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = string(bytes.TrimRight(name.Release[:], "\x00"))
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = info.Totalram * uint64(info.Unit)
	}
	m.addBuild()
	return m
}

func (m *Machine) addBuild() {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	for _, d := range build.Deps {
		for _, path := range compared {
			if d.Path == path {
				m.Versions[path] = d.Version
			}
		}
	}
	for _, s := range build.Settings {
		switch {
		case s.Key == "vcs.revision":
			m.Commit = s.Value + m.Commit
		case s.Key == "vcs.modified" && s.Value == "true":
			m.Commit += ", modified"
		}
	}
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}

// String is the line that stands under every plot.
func (m Machine) String() string {
	return fmt.Sprintf("%d cores (%s), %d GiB, %s %s, %s, %s",
		m.Cores, m.CPU, (m.Memory+1<<29)>>30, m.System, m.Kernel, m.Go, m.Date[:min(10, len(m.Date))])
}

// Libraries names what was compared, with versions.
func (m Machine) Libraries() string {
	var names []string
	for path, version := range m.Versions {
		names = append(names, short(path)+" "+version)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// short is the name that people use for a module: its last element that is not a major version.
func short(path string) string {
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	if len(parts) > 1 && len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == "" {
		return parts[len(parts)-2]
	}
	if strings.HasPrefix(path, "Erlang") {
		return path
	}
	return last
}
