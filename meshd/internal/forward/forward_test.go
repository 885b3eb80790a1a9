package forward

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/socket"
)

var quiet = slog.New(slog.DiscardHandler)

// told makes a table whose connections fail as soon as somebody hears of them.
func told(t *testing.T) (*Table, <-chan Forward) {
	heard := make(chan Forward)
	table := NewTable(func(ctx context.Context, to func() Forward, _ *relay.Side, _ func(*relay.Flow)) error {
		select {
		case heard <- to():
		case <-ctx.Done():
		}
		return errors.New("no way")
	}, quiet)
	t.Cleanup(table.CloseAll)
	return table, heard
}

func at(id, listen string, port uint16) Forward {
	return Forward{ID: id, Listen: listen, Source: "lcl_1", Address: netip.MustParseAddr("127.64.1.2"), Port: port}
}

func dial(t *testing.T, bound string) net.Conn {
	t.Helper()
	network, address := "tcp", bound
	if path, isUnix := strings.CutPrefix(bound, "unix:"); isUnix {
		network, address = "unix", path
	}
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestConnectionThatCannotBeCarriedIsReset(t *testing.T) {
	table, heard := told(t)
	status, err := table.Listen(at("a", "127.0.0.1:0", 80))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, status.Bound)
	if to := <-heard; to.Port != 80 {
		t.Errorf("led to %v", to)
	}
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v, want a reset", err)
	}
	table.CloseAll() // waits for the connection's end
}

func TestForwardIsLedElsewhereWhereItListens(t *testing.T) {
	table, heard := told(t)
	first, err := table.Listen(at("a", "127.0.0.1:0", 80))
	if err != nil {
		t.Fatal(err)
	}
	second, err := table.Listen(at("a", "127.0.0.1:0", 81))
	if err != nil || second.Bound != first.Bound {
		t.Fatalf("listens at %s, before at %s: %v", second.Bound, first.Bound, err)
	}
	dial(t, first.Bound)
	if to := <-heard; to.Port != 81 {
		t.Errorf("led to %v", to)
	}
}

func TestTakenAddress(t *testing.T) {
	table, _ := told(t)
	first, err := table.Listen(at("a", "127.0.0.1:0", 80))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Listen(at("b", first.Bound, 80)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second forward at %s: %v", first.Bound, err)
	}
	table.Close("a")
	if _, err := table.Listen(at("b", first.Bound, 80)); err != nil {
		t.Errorf("after the first is closed: %v", err)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.sock")
	table, heard := told(t)
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Listen(at("a", "unix:"+path, 80)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("where somebody answers: %v", err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	status, err := table.Listen(at("a", "unix:"+path, 80))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket's mode: %v %v", info.Mode(), err)
	}
	c := dial(t, status.Bound)
	<-heard
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("ended with %v", err)
	}
	table.Close("a")
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("the socket is left behind")
	}
}

func TestFileThatIsNoSocketStays(t *testing.T) {
	table, _ := told(t)
	path := filepath.Join(t.TempDir(), "letters")
	if err := os.WriteFile(path, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Listen(at("a", "unix:"+path, 80)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "dear" {
		t.Fatal(string(content), err)
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	started := make(chan struct{})
	table := NewTable(func(ctx context.Context, _ func() Forward, _ *relay.Side, _ func(*relay.Flow)) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}, quiet)
	c := waiting(t, table, started)
	if s := table.List()[0]; s.Waiting != 1 || s.Open != 0 {
		t.Errorf("%d wait, %d are open", s.Waiting, s.Open)
	}
	table.Close("a")
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v, want a reset", err)
	}
	if len(table.List()) != 0 {
		t.Error("still listed")
	}
}

// TestCloseEndsWhatIsCarriedFromThenOn: a connection whose verdict comes while its forward is closed.
func TestCloseEndsWhatIsCarriedFromThenOn(t *testing.T) {
	app, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { app.Close() })
	flows := relay.NewTable(10, "t", func(relay.Event) {})
	started := make(chan struct{})
	table := NewTable(func(ctx context.Context, _ func() Forward, source *relay.Side, began func(*relay.Flow)) error {
		close(started)
		<-ctx.Done() // and a verdict comes all the same
		target, err := net.Dial("tcp", app.Addr().String())
		if err != nil {
			return err
		}
		side := relay.Local(socket.From(target.(*net.TCPConn)))
		flow, err := flows.Open(relay.Info{Permit: "p"}, nil)
		if err != nil {
			return err
		}
		flow.Attach(source, side)
		began(flow)
		flow.Relay(source, side, nil)
		return nil
	}, quiet)
	c := waiting(t, table, started)
	closed := make(chan struct{})
	go func() { table.Close("a"); close(closed) }()
	select {
	case <-closed:
	case <-time.After(30 * time.Second):
		t.Fatal("the forward does not close")
	}
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v, want a reset", err)
	}
}

// waiting opens a forward and a connection to it, which the carrier says has started.
func waiting(t *testing.T, table *Table, started <-chan struct{}) net.Conn {
	t.Helper()
	status, err := table.Listen(at("a", "127.0.0.1:0", 80))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, status.Bound)
	<-started
	return c
}

// await waits for what another goroutine does.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 30 s: " + what)
		}
	}
}
