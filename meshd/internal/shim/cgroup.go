package shim

import (
	"bytes"
	"os"
	"path/filepath"
)

// A cgroup (version 2) holds one sandbox with its shim, so that its use of
// memory and processors can be seen and limited. A nil one stands for none.
type cgroup struct{ path, parent string }

// joinCgroup makes a group below the shim's own and moves there, if that is
// allowed. Never at the top of the hierarchy: there nobody would remove it after
// a kill -9.
func joinCgroup(name string) *cgroup {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	place := ownCgroup(own)
	if place == "/" || place == "" {
		return nil
	}
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		parent := filepath.Join(mount, place)
		g := &cgroup{path: filepath.Join(parent, "gstacks-"+name), parent: parent}
		if _, err := os.Stat(filepath.Join(parent, "cgroup.controllers")); err != nil {
			continue // not version 2, or not ours to see
		}
		if err := os.Mkdir(g.path, 0o755); err != nil && !os.IsExist(err) {
			return nil
		}
		if moveTo(g.path) != nil {
			os.Remove(g.path)
			return nil
		}
		return g
	}
	return nil
}

// leave goes back and removes the group, which is empty by then.
func (g *cgroup) leave() {
	if g != nil && moveTo(g.parent) == nil {
		os.Remove(g.path)
	}
}

func moveTo(group string) error {
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0)
}

// ownCgroup finds the version 2 line "0::/path" of /proc/self/cgroup.
func ownCgroup(text []byte) string {
	for line := range bytes.Lines(text) {
		if path, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte("0::")); ok {
			return string(path)
		}
	}
	return ""
}
