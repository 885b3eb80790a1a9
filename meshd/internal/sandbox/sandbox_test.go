package sandbox

import (
	"bufio"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"gstacks/meshd/internal/netns/netnstest"
	"gstacks/meshd/internal/socket"
)

func TestMain(m *testing.M) { netnstest.Main(m) }

var (
	api    = netip.MustParseAddrPort("127.64.1.2:8080")
	worker = netip.MustParseAddrPort("127.64.1.3:9090")
)

// tell answers each stream with what its program dialled, and closes it once
// the program does.
func tell(id string, original netip.AddrPort, c *socket.Conn) {
	defer c.Close()
	fmt.Fprintf(c, "%s %s\n", id, original)
	c.Read(make([]byte, 1))
}

func open(t testing.TB, jail *netnstest.Jail, permitted ...netip.AddrPort) *Sandbox {
	t.Helper()
	s, err := Open(refOf(jail), permitted, nil, tell)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func refOf(jail *netnstest.Jail) Ref {
	return Ref{ID: "sbx_test", PID: jail.PID, StartTime: jail.StartTime}
}

// connect says what a program in the jail gets from an address: a line, or the
// name of the error.
func connect(t testing.TB, jail *netnstest.Jail, to netip.AddrPort) string {
	t.Helper()
	return jail.MustRun("python3", "-c", `
import errno, socket, sys
try:
    c = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    print(c.makefile().readline().strip() or "nothing")
except OSError as e:
    print(errno.errorcode.get(e.errno, e))
`, to.Addr().String(), fmt.Sprint(to.Port()))
}

func expect(t testing.TB, jail *netnstest.Jail, to netip.AddrPort, want string) {
	t.Helper()
	if got := connect(t, jail, to); got != want {
		t.Errorf("connect to %s: got %q, want %q", to, got, want)
	}
}

const refused = "ECONNREFUSED"

func reaches(to netip.AddrPort) string { return "sbx_test " + to.String() }

func TestPermittedPairsReachTheHandlerAndNothingElseDoes(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail, api)
	expect(t, jail, api, reaches(api))
	expect(t, jail, worker, refused)
	expect(t, jail, netip.AddrPortFrom(api.Addr(), 8081), refused)
	expect(t, jail, netip.AddrPortFrom(DNSServer, 80), refused)

	if err := s.Update([]netip.AddrPort{worker, worker}, []netip.AddrPort{api}); err != nil {
		t.Fatal(err)
	}
	expect(t, jail, api, refused)
	expect(t, jail, worker, reaches(worker))

	// Again: nothing to do, and no error.
	if err := s.Update([]netip.AddrPort{worker}, []netip.AddrPort{api}); err != nil {
		t.Fatal(err)
	}
	expect(t, jail, worker, reaches(worker))

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, jail, worker, refused)
	if err := s.Update(nil, nil); err == nil {
		t.Error("a closed sandbox took an update")
	}
}

func TestTheListenerStandsForNothingWhenDialledItself(t *testing.T) {
	jail := netnstest.NewJail(t)
	listener, _ := open(t, jail, api).Ports()
	got := connect(t, jail, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), listener))
	if got != "ECONNRESET" {
		t.Errorf("got %q", got)
	}
}

func TestOnlyPortsOfVirtualAddressesAreDiverted(t *testing.T) {
	jail := netnstest.NewJail(t)
	for _, pair := range []string{"127.0.0.1:80", "10.0.0.1:80", "127.64.1.2:0", "[::1]:80", "127.128.0.1:80"} {
		if _, err := Open(refOf(jail), []netip.AddrPort{netip.MustParseAddrPort(pair)}, nil, tell); err == nil {
			t.Errorf("%s was taken", pair)
		}
	}
}

// A program that listens everywhere must neither get what is refused nor be kept
// from a port by meshd, whoever comes first.
func TestProgramsOwnEveryPort(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail, api)
	// The stream to api:8080 stays open while the program binds 8080.
	program := jail.Command("python3", "-u", "-c", `
import socket
stream = socket.create_connection(("127.64.1.2", 8080), 5)
assert stream.recv(99)
own = socket.socket(); own.bind(("0.0.0.0", 8080)); own.listen()
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); dns.bind(("0.0.0.0", 9053))
print("bound")
while True:
    c, _ = own.accept(); c.sendall(b"the program itself\n"); c.close()
`)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	defer program.Wait()
	defer program.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "bound\n" {
		t.Fatalf("%q %v", line, err)
	}
	expect(t, jail, api, reaches(api))
	expect(t, jail, netip.MustParseAddrPort("127.0.0.1:8080"), "the program itself")
	expect(t, jail, netip.MustParseAddrPort("127.64.9.9:8080"), refused)
	s.release() // as the kernel does it for a killed process: the table stays as it was
	expect(t, jail, api, refused)
}

func TestAnEndedProcessIsSeen(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail)
	select {
	case <-s.Gone():
		t.Fatal("gone too early")
	default:
	}
	jail.Kill()
	<-s.Gone()
	if _, err := Open(refOf(jail), nil, nil, tell); err == nil || !strings.Contains(err.Error(), ErrGone.Error()) {
		t.Errorf("opened an ended process: %v", err)
	}
}

func TestAnotherStartTimeIsAnotherProcess(t *testing.T) {
	ref := refOf(netnstest.NewJail(t))
	ref.StartTime++
	if _, err := Open(ref, nil, nil, tell); err == nil {
		t.Error("opened a process that was started at another time")
	}
}
