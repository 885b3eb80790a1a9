package shim

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/process"
)

// exitNotStarted is what a shell says of a command it cannot run.
const exitNotStarted = 127

type identity struct {
	PID       int     `json:"pid"`
	StartTime uint64  `json:"startTime"`
	Cgroup    *string `json:"cgroup"`
}

type childProcess struct {
	PID       int    `json:"childPid"`
	StartTime uint64 `json:"childStartTime"`
}

type exit struct {
	Code   int    `json:"code"`
	Signal string `json:"signal,omitempty"`
	At     int64  `json:"at"` // milliseconds since the epoch
}

// introduce says who the shim is, and takes away what an earlier one said.
func introduce(dir string, group *cgroup) error {
	self := identity{PID: os.Getpid()}
	var err error
	if self.StartTime, err = process.StartTime(self.PID); err != nil {
		return err
	}
	if group != nil {
		self.Cgroup = &group.path
	}
	for _, old := range []string{"shim.json", "status.json", "exit.json"} {
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			return err
		}
	}
	return writeJSON(dir, "shim.json", self)
}

func writeChild(dir string, child childProcess) error { return writeJSON(dir, "status.json", child) }

func writeExit(dir string, e exit) error {
	e.At = time.Now().UnixMilli()
	return writeJSON(dir, "exit.json", e)
}

// exitOf follows the shell: 128+n for signal n. bwrap says so too when the
// program was ended by a signal, so such a code is read as one.
func exitOf(state *os.ProcessState) exit {
	status := state.Sys().(syscall.WaitStatus)
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	e := exit{Code: code}
	if code > 128 {
		e.Signal = unix.SignalName(syscall.Signal(code - 128)) // empty if there is none of that number
	}
	return e
}

// writeJSON makes the file appear whole, or not at all.
func writeJSON(dir, name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(path+".new", path)
}

// readStatus waits for bwrap's report of its child; 0 means that it ended
// without one.
func readStatus(status io.Reader) int {
	var report struct {
		ChildPID int `json:"child-pid"`
	}
	if json.NewDecoder(status).Decode(&report) != nil {
		return 0
	}
	return report.ChildPID
}
