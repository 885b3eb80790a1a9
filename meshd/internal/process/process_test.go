package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestChildrenAndStartTimes(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	// Whatever it is called, also when it looks like fields.
	name := filepath.Join(t.TempDir(), ") S 1 1 (x")
	if err := os.Symlink(sleep, name); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	children, err := Children(os.Getpid())
	if err != nil || !slices.Contains(children, cmd.Process.Pid) {
		t.Errorf("children %v, %v; want %d", children, err, cmd.Process.Pid)
	}
	mine, err := StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	its, err := StartTime(cmd.Process.Pid)
	if err != nil || its < mine || mine == 0 {
		t.Errorf("started at %d, %v; its parent at %d", its, err, mine)
	}
}

func TestAnEndedProcessHasNoStartTime(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if started, err := StartTime(cmd.Process.Pid); err == nil {
		t.Errorf("started at %d", started)
	}
}
