package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/netns/netnstest"
	"gstacks/meshd/internal/process"
)

func init() { runtime.LockOSThread() } // as the command does

// The test binary is the shim too, when it is started with a directory here.
const asShim = "GSTACKS_TEST_SHIM_DIR"

// impatient makes its grace short.
const impatient = "GSTACKS_TEST_SHIM_IMPATIENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asShim); dir != "" {
		if os.Getenv(impatient) != "" {
			termGrace = 50 * time.Millisecond
		}
		if err := Run(dir, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	netnstest.Main(m)
}

// jailed is how the built-in driver runs a program.
func jailed(program ...string) []string {
	return append([]string{"bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
		"--unshare-user", "--unshare-net", "--unshare-pid", "--cap-drop", "ALL", "--die-with-parent",
		"--json-status-fd", "3", "--block-fd", "4"}, program...)
}

type running struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
}

func start(t *testing.T, argv ...string) *running {
	t.Helper()
	r := &running{t: t, dir: t.TempDir()}
	r.cmd = exec.Command(os.Args[0], argv...)
	r.cmd.Env = append(os.Environ(), asShim+"="+r.dir)
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.tell("kill")
		r.cmd.Wait()
	})
	return r
}

// tell writes a command; a shim that has ended has no reader.
func (r *running) tell(command string) {
	fifo, err := os.OpenFile(controlPath(r.dir), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer fifo.Close()
	fmt.Fprintln(fifo, command)
}

// await waits until a file of the shim appears and reads it.
func await[T any](r *running, name string) (value T) {
	r.t.Helper()
	r.until(name+" is there", func() bool {
		text, err := os.ReadFile(filepath.Join(r.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			return false
		}
		if err != nil {
			r.t.Fatal(err)
		}
		if err := json.Unmarshal(text, &value); err != nil {
			r.t.Fatalf("%s is not whole: %q", name, text)
		}
		return true
	})
	return value
}

func (r *running) until(what string, holds func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain until %s; output:\n%s", what, r.output())
		}
		time.Sleep(2 * time.Millisecond) // the pace of asking, not a guess of when
	}
}

func (r *running) output() string {
	text, _ := os.ReadFile(filepath.Join(r.dir, "output.log"))
	return string(text)
}

func (r *running) untilOutput(want string) {
	r.t.Helper()
	r.until(fmt.Sprintf("the output has %q", want), func() bool { return strings.Contains(r.output(), want) })
}

func (r *running) expectExit(code int, signal string) {
	r.t.Helper()
	e := await[exit](r, "exit.json")
	if e.Code != code || e.Signal != signal || time.Since(time.UnixMilli(e.At)).Abs() > time.Minute {
		r.t.Errorf("exit.json: %+v, want code %d signal %q; output:\n%s", e, code, signal, r.output())
	}
}

// alive does not count a process that only nobody has waited for.
func alive(child childProcess) bool {
	if started, err := process.StartTime(child.PID); err != nil || started != child.StartTime {
		return false
	}
	fd, err := unix.PidfdOpen(child.PID, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	ended, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && ended == 0
}

func TestAProgramRunsOnceReleased(t *testing.T) {
	r := start(t, jailed("sh", "-c", `echo out; echo err >&2; ls /proc/self/fd; exit 7`)...)
	child := await[childProcess](r, "status.json")
	if !alive(child) || r.output() != "" {
		t.Fatalf("child %+v, output %q", child, r.output())
	}
	me := await[identity](r, "shim.json")
	if me.PID != r.cmd.Process.Pid || me.StartTime == 0 {
		t.Errorf("shim.json: %+v", me)
	}
	if session, err := unix.Getsid(me.PID); err != nil || session != me.PID {
		t.Errorf("session %d, %v", session, err)
	}
	r.tell("release")
	r.tell("release")
	r.expectExit(7, "")
	if want := "out\nerr\n0\n1\n2\n3\n"; r.output() != want { // 3 is ls's own, on /proc
		t.Errorf("output %q, want %q", r.output(), want)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Error("shim: ", err)
	}
	if _, err := os.Stat(controlPath(r.dir)); err == nil {
		t.Error("the control FIFO is still there")
	}
}

func TestTermReachesTheProgram(t *testing.T) {
	r := start(t, jailed("sh", "-c", `trap "echo told; exit 3" TERM; echo ready; while :; do sleep 0.01; done`)...)
	r.tell("nonsense")
	await[childProcess](r, "status.json")
	r.tell("release")
	r.untilOutput("ready")
	r.cmd.Process.Signal(syscall.SIGTERM)
	r.expectExit(3, "")
	if !strings.Contains(r.output(), "told") {
		t.Errorf("output %q", r.output())
	}
}

func TestAStubbornProgramIsKilled(t *testing.T) {
	t.Setenv(impatient, "yes")
	r := start(t, jailed("sh", "-c", `trap "" TERM; echo ready; while :; do sleep 0.01; done`)...)
	await[childProcess](r, "status.json")
	r.tell("release")
	r.untilOutput("ready")
	r.tell("term")
	r.expectExit(137, "SIGKILL")
}

func TestAProgramThatNeverStartedIsEndedAtOnce(t *testing.T) {
	for _, command := range []string{"term", "kill"} {
		r := start(t, jailed("sh", "-c", "echo started")...)
		r.until("commands are read", func() bool { _, err := os.Stat(controlPath(r.dir)); return err == nil })
		r.tell(command)
		r.expectExit(137, "SIGKILL")
		if r.output() != "" {
			t.Errorf("output %q", r.output())
		}
	}
}

func TestTheProgramDoesNotOutliveAKilledShim(t *testing.T) {
	r := start(t, jailed("sh", "-c", "echo ready; sleep 1000")...)
	child := await[childProcess](r, "status.json")
	r.tell("release")
	r.untilOutput("ready")
	r.cmd.Process.Kill()
	r.until("the sandbox has ended", func() bool { return !alive(child) })
	if _, err := os.Stat(filepath.Join(r.dir, "exit.json")); err == nil {
		t.Error("a killed shim left an exit code")
	}
}

// The end of the shim must not be taken for a release.
func TestAKilledShimReleasesNothing(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	argv := jailed("touch", mark)
	argv = append([]string{argv[0], "--bind", filepath.Dir(mark), filepath.Dir(mark)}, argv[1:]...)
	r := start(t, argv...)
	child := await[childProcess](r, "status.json")
	r.cmd.Process.Kill()
	r.cmd.Wait()
	// bwrap goes from its last mount to reading the gate: there it stays.
	r.until("bwrap waits at the gate", func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", child.PID))
		return strings.HasPrefix(string(text), fmt.Sprintf("%d 0x4 ", unix.SYS_READ))
	})
	if _, err := os.Stat(mark); err == nil {
		t.Error("the program ran")
	}
	if !alive(child) {
		t.Error("bwrap's child no longer waits: there may be no need for an agent to end it")
	}
	syscall.Kill(child.PID, syscall.SIGKILL)
	r.until("the sandbox has ended", func() bool { return !alive(child) })
}

func TestTheShimOutlivesItsStarter(t *testing.T) {
	r := &running{t: t, dir: t.TempDir()}
	starter := exec.Command("setsid", append([]string{"sh", "-c", `"$@" & echo $!`, "sh", os.Args[0]},
		jailed("sh", "-c", "echo ready; read never")...)...)
	starter.Env = append(os.Environ(), asShim+"="+r.dir)
	out, err := starter.Output() // ends, though the shim got its output too
	if err != nil {
		t.Fatal(err)
	}
	child := await[childProcess](r, "status.json")
	me := await[identity](r, "shim.json")
	if fmt.Sprintln(me.PID) != string(out) {
		t.Errorf("shim.json says %d, its starter %q", me.PID, out)
	}
	syscall.Kill(me.PID, syscall.SIGHUP)
	r.tell("release")
	r.expectExit(1, "") // read fails on /dev/null
	r.until("the sandbox has ended", func() bool { return !alive(child) })
}

func TestACommandThatCannotStartLeavesAnExit(t *testing.T) {
	r := start(t, "/no/such/bwrap")
	r.expectExit(127, "")
	if !strings.Contains(r.output(), "no such file") {
		t.Errorf("output %q", r.output())
	}
}

func TestTheLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	line := strings.Repeat("x", 1000) + "\n"
	write := func(l *logFile, lines int) {
		for range lines {
			if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
				t.Error(n, err)
			}
		}
	}
	write(openLog(dir), 1500)
	second := openLog(dir) // goes on where the first one was
	var both sync.WaitGroup
	for range 2 { // the program's output and the shim's notes
		both.Go(func() { write(second, 2500) })
	}
	both.Wait()
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if size("output.log.1") != maxLogSize || size("output.log") != 6500*1001%maxLogSize {
		t.Errorf("sizes %d and %d", size("output.log.1"), size("output.log"))
	}
	if n, err := openLog(filepath.Join(dir, "missing")).Write([]byte(line)); n != len(line) || err != nil {
		t.Error("a log that cannot be kept holds up the program: ", n, err)
	}
}

func TestOnlyAGivenCgroupIsUsed(t *testing.T) {
	for text, want := range map[string]string{
		"0::/\n":                        "/",
		"9:pids:/x\n0::/user.slice/a\n": "/user.slice/a",
		"9:pids:/x\n":                   "",
	} {
		if got := ownCgroup([]byte(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
