//go:build e2e

// Package e2e runs real meshds and a real Headscale in a world of its own: a fresh
// network, mount and process namespace (and a user namespace when not root) that
// ends with the test, whatever happens. Hosts are network namespaces on one bridge
// without a route out; sandboxes are processes in namespaces of their own.
//
//	GSTACKS_MESHD=… GSTACKS_HEADSCALE=… go test -tags e2e ./e2e
package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

const inside = "GSTACKS_E2E_INSIDE"

// TestMain runs the tests once more inside the world, where they really run.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	for _, need := range []string{"GSTACKS_MESHD", "GSTACKS_HEADSCALE"} {
		if _, err := os.Stat(os.Getenv(need)); err != nil {
			fmt.Fprintf(os.Stderr, "FAIL: %s must be the path of that program: %v\n", need, err)
			os.Exit(1)
		}
	}
	args := []string{"--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Getuid() != 0 {
		args = append([]string{"--user", "--map-root-user"}, args...)
	}
	c := exec.Command("unshare", append(append(args, os.Args[0]), os.Args[1:]...)...)
	c.Env = append(os.Environ(), inside+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "FAIL: cannot make namespaces:", err)
		os.Exit(1)
	}
}
