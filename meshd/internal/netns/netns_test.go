package netns_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"gstacks/meshd/internal/netns"
	"gstacks/meshd/internal/netns/netnstest"
)

func TestMain(m *testing.M) { netnstest.Main(m) }

// here is the namespace of the calling thread, as long as it stays on it.
func here(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func fresh(t *testing.T) *os.File {
	t.Helper()
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

func TestWithinGoesThereAndBack(t *testing.T) {
	ns, home := fresh(t), here(t)
	var there string
	if err := netns.Within(ns, func() error { there = here(t); return nil }); err != nil {
		t.Fatal(err)
	}
	if there == home || !strings.HasPrefix(there, "net:[") {
		t.Errorf("there %q, home %q", there, home)
	}
	if here(t) != home {
		t.Error("did not come back")
	}
	main, err := os.Readlink("/proc/self/ns/net")
	if err != nil || main != home {
		t.Errorf("the main thread is in %q, %v", main, err)
	}
}

func TestWithinPassesOnErrorsAndPanics(t *testing.T) {
	ns, home := fresh(t), here(t)
	failure := errors.New("as expected")
	if err := netns.Within(ns, func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() {
			if recover() != "as expected" {
				t.Error("the panic got lost")
			}
		}()
		netns.Within(ns, func() error { panic("as expected") })
	}()
	if here(t) != home {
		t.Error("did not come back")
	}
}

func TestWithinWhatIsNoNamespace(t *testing.T) {
	closed := fresh(t)
	closed.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, f := range []*os.File{closed, null} {
		if err := netns.Within(f, func() error { t.Error("was run"); return nil }); err == nil {
			t.Error("no error")
		}
	}
}

// All of it holds as well where no thread can come back: in a user namespace of
// its own, as on a developer's machine.
func TestWithoutAWayBack(t *testing.T) {
	const again = "GSTACKS_TEST_WITHOUT_A_WAY_BACK"
	if os.Getenv(again) != "" {
		return
	}
	cmd := exec.Command("unshare", "--user", "--map-current-user", "--keep-caps", "--", os.Args[0], "-test.v")
	cmd.Env = append(os.Environ(), again+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: TestSocketsStayInTheirNamespace") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Sockets stay where they were made, and many goroutines may go at once.
func TestSocketsStayInTheirNamespace(t *testing.T) {
	home := here(t)
	var group sync.WaitGroup
	for range 8 {
		ns := fresh(t)
		group.Go(func() {
			var l net.Listener
			err := netns.Within(ns, func() (err error) {
				l, err = net.Listen("tcp4", "0.0.0.0:5999") // free in each of them
				return err
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			for range 100 {
				if err := netns.Within(ns, func() error {
					if here(t) == home {
						t.Error("at home")
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
				if here(t) != home {
					t.Error("away")
				}
			}
		})
	}
	group.Wait()
}
