package shim

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/process"
)

func controlPath(dir string) string { return filepath.Join(dir, "control") }

// listen makes the FIFO and reads commands from it, one a line. It is open for
// writing too, so it never ends when a writer closes, and gets its name only
// when it has a reader, so that a writer need not wait for one.
func listen(dir string) (<-chan string, error) {
	path := controlPath(dir)
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := unix.Mkfifo(path+".new", 0o600); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	fifo, err := os.OpenFile(path+".new", os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, err
	}
	commands := make(chan string)
	go func() {
		for {
			lines := bufio.NewScanner(fifo)
			lines.Buffer(make([]byte, 64), 64)
			for lines.Scan() {
				commands <- lines.Text()
			}
			if !errors.Is(lines.Err(), bufio.ErrTooLong) {
				return
			}
		}
	}()
	return commands, nil
}

func (s *shim) obey(command string) {
	switch command {
	case "release":
		s.release()
	case "term":
		s.term()
	case "kill":
		s.kill()
	default:
		s.note("unknown command %q: use release, term or kill", command)
	}
}

// release sends the one byte that bwrap waits for.
func (s *shim) release() {
	if s.released {
		return
	}
	s.released = true
	s.gate.Write([]byte{1})
	s.gate.Close()
}

// term asks the program to end and sets a time limit. A program that has not
// started has nothing to bring to an end.
func (s *shim) term() {
	if s.killAt != nil {
		return
	}
	s.killAt = time.After(termGrace)
	if !s.released || s.child == (childProcess{}) {
		s.kill()
		return
	}
	// The child is the first process of a pid namespace: the kernel drops TERM
	// for it unless it has a handler. bwrap's has none; the program is its child.
	s.signalChild(syscall.SIGTERM)
	programs, err := process.Children(s.child.PID)
	if err != nil {
		s.note("find the program: %v", err)
	}
	for _, pid := range programs {
		syscall.Kill(pid, syscall.SIGTERM)
	}
}

// kill ends the first process of the sandbox, and with it all others. Until it
// is known there is nothing to aim at: ending bwrap so early could leave its
// child behind.
func (s *shim) kill() {
	if s.child == (childProcess{}) {
		s.doomed = true
		return
	}
	s.signalChild(syscall.SIGKILL)
}

// signalChild makes sure that the pid is not another process's by now.
func (s *shim) signalChild(number syscall.Signal) {
	if started, err := process.StartTime(s.child.PID); err == nil && started == s.child.StartTime {
		syscall.Kill(s.child.PID, number)
	}
}
