// Package netnstest lets tests use real network namespaces and real jails, as
// root and as any other user.
//
// It never skips: a machine where namespaces are impossible fails the tests.
package netnstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/process"
)

const insideWorld = "GSTACKS_TEST_WORLD"

// Main runs the tests of a package. Without the right to make namespaces it
// starts the test binary again as root of a world of its own, which ends with
// everything in it. Call it from TestMain.
func Main(m *testing.M) {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin") // where nft is, also for other users
	if os.Getenv(insideWorld) != "" || mayMakeNamespaces() {
		os.Exit(m.Run())
	}
	cmd := exec.Command("unshare", append([]string{"--user", "--map-root-user", "--net", "--mount", "--pid",
		"--fork", "--kill-child", "--mount-proc", "--", os.Args[0]}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), insideWorld+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(max(exit.ExitCode(), 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "these tests need user namespaces or root:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func mayMakeNamespaces() bool {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		result <- unix.Unshare(unix.CLONE_NEWNET)
	}()
	return <-result == nil
}

// A Jail is a bubblewrap sandbox with a network namespace of its own, as the
// built-in driver makes them.
type Jail struct {
	t         testing.TB
	PID       int // of its first process
	StartTime uint64
	// settled waits until bubblewrap has run its program: shortly before, the jail's
	// user namespace has no users, and who enters it then has no capabilities.
	settled func()
}

// NewJail starts a jail that holds nothing but a sleeping process, until the
// test ends or Kill.
func NewJail(t testing.TB) *Jail {
	t.Helper()
	status, reported, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer status.Close()
	settled, runs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { settled.Close() })
	cmd := exec.Command("bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
		"--unshare-user", "--unshare-net", "--unshare-pid", "--cap-drop", "ALL", "--die-with-parent",
		"--json-status-fd", "3", "sh", "-c", "echo >&4; exec sleep infinity")
	cmd.ExtraFiles = []*os.File{reported, runs}
	cmd.Stderr = os.Stderr
	// Not Pdeathsig: it would follow the thread that happens to fork.
	if err := startOnOwnThread(t, cmd); err != nil {
		t.Fatal("start bwrap: ", err)
	}
	reported.Close()
	runs.Close()
	var report struct {
		ChildPID int `json:"child-pid"`
	}
	if err := json.NewDecoder(status).Decode(&report); err != nil || report.ChildPID == 0 {
		t.Fatal("bwrap reported no process: ", err)
	}
	started, err := process.StartTime(report.ChildPID)
	if err != nil {
		t.Fatal(err)
	}
	j := &Jail{t: t, PID: report.ChildPID, StartTime: started,
		settled: sync.OnceFunc(func() { settled.Read(make([]byte, 1)) })}
	t.Cleanup(j.Kill) // bwrap's own end takes it along only once it is fully up
	return j
}

// startOnOwnThread starts a command that dies with its parent thread on a
// thread that lives as long as the test.
func startOnOwnThread(t testing.TB, cmd *exec.Cmd) error {
	started, done, ended := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		<-done
		cmd.Process.Kill()
		cmd.Wait()
	}()
	err := <-started
	t.Cleanup(func() {
		close(done)
		<-ended
	})
	return err
}

// Command is a program inside the jail's user and network namespaces, with the
// jail's first capabilities, so that it may also change nft rules there.
func (j *Jail) Command(name string, args ...string) *exec.Cmd {
	j.settled()
	return exec.Command("nsenter", append([]string{"--target", fmt.Sprint(j.PID), "--user", "--net",
		"--preserve-credentials", "--", name}, args...)...)
}

// Run runs a program in the jail and returns what it printed, without the last
// newline.
func (j *Jail) Run(name string, args ...string) (string, error) {
	out, err := j.Command(name, args...).CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// MustRun is Run for a program that must succeed.
func (j *Jail) MustRun(name string, args ...string) string {
	j.t.Helper()
	out, err := j.Run(name, args...)
	if err != nil {
		j.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

// Kill ends the jail.
func (j *Jail) Kill() { syscall.Kill(j.PID, syscall.SIGKILL) }
