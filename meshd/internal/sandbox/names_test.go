package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gstacks/meshd/internal/dns"
	"gstacks/meshd/internal/netns/netnstest"
	"gstacks/meshd/internal/socket"
)

func TestAnswersNamesInTheSandbox(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail)
	dig := func(args ...string) string {
		t.Helper()
		return jail.MustRun("dig", append([]string{"@127.64.0.53", "+tries=1", "+timeout=5"}, args...)...)
	}
	if out := dig("api.dev.gstacks"); !strings.Contains(out, "status: REFUSED") {
		t.Errorf("without a zone: %s", out)
	}
	s.SetZone(exampleZone(t))
	ownServer(t, jail)
	for _, transport := range []string{"+notcp", "+tcp"} {
		if out := dig("+short", transport, "aPi.dev.gstacks"); out != "127.64.1.2" {
			t.Errorf("%s: %q", transport, out)
		}
		if out := dig(transport, "nothing.gstacks"); !strings.Contains(out, "status: NXDOMAIN") {
			t.Errorf("%s: %s", transport, out)
		}
	}
	s.Close()
	if out, err := jail.Run("dig", "@127.64.0.53", "+tries=1", "+timeout=5", "api.dev.gstacks"); err == nil || !strings.Contains(out, "refused") {
		t.Errorf("after the end: %v %s", err, out)
	}
}

// ownServer makes a program own port 53, which must not be in the way, nor asked.
func ownServer(t *testing.T, jail *netnstest.Jail) {
	t.Helper()
	program := within(jail, "python3", "-u", "-c", `
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 53))
tcp = socket.socket(); tcp.bind(("0.0.0.0", 53)); tcp.listen()
print("bound")
tcp.accept()
`)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Process.Kill(); program.Wait() })
	if _, err := fmt.Fscan(out, new(string)); err != nil {
		t.Fatal(err)
	}
}

// exampleZone knows api.dev.gstacks.
func exampleZone(t *testing.T) *dns.Zone {
	t.Helper()
	zone, err := dns.ParseZone([]byte(`{"id": "z", "origins": {"gstacks": {"soa": "B2dzdGFja3MAAAYAAQAAAAUAGQJucwAAAAAAAQAAAAEAAAABAAAAAQAAAAU="}},
		"names": {"api.dev.gstacks": {"1": {"count": 1, "rrs": "A2FwaQNkZXYHZ3N0YWNrcwAAAQABAAAABQAEf0ABAg=="}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// What programs do: the C library's resolver, then a connection.
func TestProgramsReachAnAliasByName(t *testing.T) {
	jail := netnstest.NewJail(t)
	s, err := Open(refOf(jail), []netip.AddrPort{api}, exampleZone(t), func(_ string, _ netip.AddrPort, c *socket.Conn) {
		defer c.Close()
		c.ResetOnClose(false)
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nhello")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	resolver := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(resolver, []byte("nameserver "+DNSServer.String()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(script string) string {
		t.Helper()
		return jail.MustRun("unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && `+script, resolver)
	}
	if out := run("curl --silent --show-error --max-time 5 http://api.dev.gstacks:8080/"); out != "hello" {
		t.Errorf("curl: %q", out)
	}
	// AI_ADDRCONFIG needs an address beside 127.0.0.1.
	if out := run("getent ahostsv4 api.dev.gstacks"); !strings.HasPrefix(out, "127.64.1.2 ") {
		t.Errorf("getent: %q", out)
	}
	if out := run("curl --silent --show-error --max-time 5 http://api.dev.gstacks:8081/ 2>&1 || echo $?"); !strings.HasSuffix(out, "\n7") {
		t.Errorf("curl to another port: %q", out) // 7: could not connect
	}
}
