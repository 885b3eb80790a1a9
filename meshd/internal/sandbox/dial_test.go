package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/netns/netnstest"
)

const patience = 3 * time.Second

// listening starts a program in the jail that listens, on the address and a port
// of its own choice, and answers a connection's bytes with the same.
func listening(t *testing.T, jail *netnstest.Jail, family, address string) (port uint16) {
	t.Helper()
	program := jail.Command("python3", "-u", "-c", fmt.Sprintf(`
import socket
s = socket.socket(socket.%s); s.bind((%q, 0)); s.listen()
print(s.getsockname()[1])
while True:
    c, peer = s.accept()
    c.sendall(peer[0].encode() + b"\n"); c.close()
`, family, address))
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Process.Kill(); program.Wait() })
	if _, err := fmt.Fscan(out, &port); err != nil {
		t.Fatal(err)
	}
	return port
}

func TestDialReachesTheSandboxsLoopback(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail)
	for _, where := range []struct{ family, address, peer string }{
		{"AF_INET", "127.0.0.1", "127.0.0.1\n"},
		{"AF_INET", "0.0.0.0", "127.0.0.1\n"},
		{"AF_INET6", "::1", "::1\n"},
	} {
		c, err := s.Dial(t.Context(), listening(t, jail, where.family, where.address), patience)
		if err != nil {
			t.Errorf("%+v: %v", where, err)
			continue
		}
		if text, err := io.ReadAll(c); string(text) != where.peer || err != nil {
			t.Errorf("%+v: %q, %v", where, text, err)
		}
		c.Close()
	}
}

func TestDialTellsWhy(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail)
	if _, err := s.Dial(t.Context(), 1, patience); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	// The program must not be confused with one on the host.
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	if _, err := s.Dial(t.Context(), portOf(host.Addr()), patience); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("only the host listens: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Dial(ended, 1, patience); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	s.Close()
	if _, err := s.Dial(t.Context(), 1, patience); err == nil {
		t.Error("a closed sandbox was dialled")
	}
}

// A port from the range of outgoing connections, with nobody listening, can be
// met by the very socket that dials it.
func TestDialNeverMeetsItself(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail)
	inside(t, jail, "sh", "-c", "echo 40000 40001 >/proc/sys/net/ipv4/ip_local_port_range")
	for range 50 {
		c, err := s.Dial(t.Context(), 40000, patience)
		if err == nil {
			c.Close()
			t.Fatal("connected, but nobody listens")
		}
	}
}
