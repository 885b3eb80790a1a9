// Package process reads what tells one process from another that got the same
// pid later: the time it was started.
package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Fields of /proc/PID/stat, counted from the one after the command's name.
const (
	parentField    = 4 - 3
	startTimeField = 22 - 3
)

// StartTime is when the process was started, in clock ticks since boot: field 22
// of /proc/PID/stat.
func StartTime(pid int) (uint64, error) { return statField(strconv.Itoa(pid), startTimeField) }

// Children lists the processes whose parent is pid.
func Children(pid int) ([]int, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(0)
	if err != nil {
		return nil, err
	}
	var children []int
	for _, name := range names {
		candidate, err := strconv.Atoi(name)
		if err != nil {
			continue // not a process
		}
		if parent, err := statField(name, parentField); err == nil && parent == uint64(pid) {
			children = append(children, candidate)
		}
	}
	return children, nil
}

func statField(pid string, field int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	// The command's name is in parentheses and may hold anything, also
	// parentheses: only the last one counts.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= field {
		return 0, fmt.Errorf("/proc/%s/stat ends before field %d", pid, field+3)
	}
	return strconv.ParseUint(string(fields[field]), 10, 64)
}
