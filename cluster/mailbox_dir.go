package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Files in Dir. JetStream's own are in a directory beside them.
const (
	lockFile  = "lock"
	ownerFile = "node.json"
)

// errLocked is that another process holds a lock.
var errLocked = errors.New("another node uses it")

// dirOwner is whom a Dir belongs to: JetStream knows its servers by their names, so that a node has to
// have the same one each time that it starts with the same files.
type dirOwner struct {
	Cluster string `json:"cluster"`
	Server  string `json:"server"`
	// Alone is that it was made without Listen: files of a server on its own are none of a cluster's.
	Alone bool `json:"alone"`
}

// openDir takes a Dir for this process, and returns the server's name. unlock gives it back.
func openDir(o *Options) (name string, unlock func(), err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cluster: Dir %s: %w", o.Dir, err)
		}
	}()
	if err = os.MkdirAll(o.Dir, 0o700); err != nil {
		return "", nil, err
	}
	f, err := lock(filepath.Join(o.Dir, lockFile))
	if err != nil {
		return "", nil, err
	}
	unlock = func() { _ = f.Close() }
	owner, err := readOwner(o)
	if err != nil {
		unlock()
		return "", nil, err
	}
	return owner.Server, unlock, nil
}

// readOwner reads whom a Dir belongs to, and refuses one of another cluster. A new one is ours.
func readOwner(o *Options) (owner dirOwner, err error) {
	path := filepath.Join(o.Dir, ownerFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeOwner(o, path)
	}
	if err != nil {
		return owner, err
	}
	if err = json.Unmarshal(data, &owner); err != nil || owner.Server == "" {
		return owner, fmt.Errorf("%s is damaged: %.100q", ownerFile, data)
	}
	if owner.Cluster != o.Cluster {
		return owner, fmt.Errorf("it belongs to the cluster %q, not to %q", owner.Cluster, o.Cluster)
	}
	if owner.Alone != (o.Listen == "") {
		return owner, fmt.Errorf("it was made by a node with Listen: %t, and is opened by one with Listen: %t",
			!owner.Alone, o.Listen != "")
	}
	return owner, nil
}

// makeOwner says whose a Dir is from now on. It is there wholly, or not at all.
func makeOwner(o *Options, path string) (owner dirOwner, err error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it does not fail
	owner = dirOwner{Cluster: o.Cluster, Server: "d" + hex.EncodeToString(random[:]), Alone: o.Listen == ""}
	data, err := json.Marshal(owner)
	if err != nil {
		return owner, err
	}
	if err = os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return owner, err
	}
	return owner, os.Rename(path+".new", path)
}
