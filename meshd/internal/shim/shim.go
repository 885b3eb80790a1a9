// Package shim is the parent of one sandbox: a small process that outlives the
// agent, keeps the sandbox's output and exit code, and passes on a few commands.
//
// It promises that the program does not start before it is released, that every
// file but the log appears whole, that an exit code is left whenever the shim
// itself was not killed, and that the sandbox does not outlive it.
package shim

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/process"
)

// What may still hold the output open when bwrap has ended is on its way out
// with the sandbox's pid namespace.
const outputGrace = time.Second

// termGrace is the time between TERM and KILL; tests shorten it.
var termGrace = 10 * time.Second

// shim is the state of the one event loop in Run.
type shim struct {
	dir      string
	log      *logFile
	cmd      *exec.Cmd
	gate     *os.File // a byte in it releases the program
	released bool
	child    childProcess // zero until bwrap has told it
	doomed   bool         // to be killed once the child is known
	killAt   <-chan time.Time
}

// Run starts the command in the directory's name and returns when it has ended
// and its exit is on disk. The calling goroutine must be locked to the main
// thread (see main). An error means that nothing was started.
func Run(dir string, argv []string) error {
	// Descriptors of whoever started the shim must not reach the sandbox.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close inherited descriptors: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := ownSession(); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE)
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)

	group := joinCgroup(filepath.Base(dir))
	defer group.leave()
	if err := introduce(dir, group); err != nil {
		return err
	}
	commands, err := listen(dir)
	if err != nil {
		return err
	}
	defer os.Remove(controlPath(dir))

	s := &shim{dir: dir, log: openLog(dir)}
	reported, err := s.start(argv)
	if err != nil {
		s.note("%v", err)
		return errors.Join(err, writeExit(dir, exit{Code: exitNotStarted}))
	}
	detach()
	ended := make(chan struct{})
	go func() {
		s.cmd.Wait() // its state says all; an error of the log is not the program's
		close(ended)
	}()
	for {
		select {
		case child := <-reported:
			s.child = child
			if err := writeChild(dir, child); err != nil {
				s.note("%v", err)
			}
			if s.doomed {
				s.kill()
			}
		case command := <-commands:
			s.obey(command)
		case <-terminate:
			s.obey("term")
		case <-s.killAt:
			if s.kill(); s.child == (childProcess{}) {
				s.cmd.Process.Kill()
			}
		case <-ended:
			return writeExit(dir, exitOf(s.cmd.ProcessState))
		}
	}
}

// start runs the command with the descriptors that its arguments name: 3, where
// bwrap reports its child, and 4, where it waits for a byte.
func (s *shim) start(argv []string) (reported <-chan childProcess, err error) {
	status, statusEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer statusEnd.Close()
	gateEnd, gate, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer gateEnd.Close()
	// The sandbox's end can write too, so it never reads the end of file that
	// bwrap would take for a release when the shim is killed.
	held, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", gateEnd.Fd()), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer held.Close()

	s.gate = gate
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.WaitDelay = outputGrace
	s.cmd.ExtraFiles = []*os.File{statusEnd, held}
	// bwrap asks for this signal too, but only some time after it was started.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	found := make(chan childProcess, 1)
	go func() {
		if pid := readStatus(status); pid != 0 {
			if started, err := process.StartTime(pid); err == nil {
				found <- childProcess{PID: pid, StartTime: started}
			}
		}
		io.Copy(io.Discard, status) // bwrap reports its end too, and must not find a closed pipe
	}()
	return found, nil
}

// note puts a line of the shim's own among the sandbox's output.
func (s *shim) note(format string, args ...any) {
	s.log.Write(fmt.Appendf(nil, "gstacks-shim: "+format+"\n", args...))
}

// ownSession lets the shim survive the starter's terminal and process group.
func ownSession() error {
	if _, err := unix.Setsid(); err == nil {
		return nil
	}
	if session, err := unix.Getsid(0); err == nil && session == os.Getpid() {
		return nil // the starter has seen to it
	}
	return errors.New("cannot start a session of its own as leader of a process group: start it with setsid(1)")
}

// detach lets go of the starter's descriptors and directory.
func detach() {
	if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		for fd := range 3 {
			unix.Dup3(int(null.Fd()), fd, 0)
		}
		null.Close()
	}
	os.Chdir("/")
}
