//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gstacks/meshd/internal/netns"
)

// place is a network namespace with a process that holds it.
type place struct {
	t         *testing.T
	pid       int
	startTime uint64
	ns        *os.File
	kill      func()
}

func newPlace(t *testing.T) *place {
	t.Helper()
	c := exec.Command("sleep", "infinity")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, pid: c.Process.Pid}
	p.kill = sync.OnceFunc(func() { c.Process.Kill(); c.Wait() })
	t.Cleanup(p.kill)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if p.startTime, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		t.Fatal(err)
	}
	if p.ns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", p.pid)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.ns.Close() })
	p.run("ip", "link", "set", "lo", "up") // as bubblewrap does: meshd gives whoever made a namespace 2 s to do so
	return p
}

// do runs fn inside.
func (p *place) do(fn func() error) {
	p.t.Helper()
	if err := netns.Within(p.ns, fn); err != nil {
		p.t.Fatal(err)
	}
}

// run runs a program inside to its end.
func (p *place) run(name string, args ...string) {
	p.t.Helper()
	p.do(func() error {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
		}
		return nil
	})
}

// spawn starts a program inside; it is killed with the test.
func (p *place) spawn(log string, name string, args ...string) *exec.Cmd {
	p.t.Helper()
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = f, f
	p.do(c.Start)
	return c
}

func (p *place) dial(to string) (*net.TCPConn, error) {
	var c net.Conn
	err := netns.Within(p.ns, func() (err error) {
		c, err = net.DialTimeout("tcp", to, 10*time.Second)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

func (p *place) mustDial(to string) *net.TCPConn {
	p.t.Helper()
	c, err := p.dial(to)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	return c
}

// serve runs app for every connection to addr inside.
func (p *place) serve(addr string, app func(*net.TCPConn)) {
	p.t.Helper()
	var l net.Listener
	p.do(func() (err error) {
		l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
		return err
	})
	p.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); app(c.(*net.TCPConn)) }()
		}
	}()
}

// world is a bridge with hosts on it, and a Headscale.
type world struct {
	t         *testing.T
	dir       string
	hub       *place
	headscale *headscale
	hosts     int
}

const hubAddress = "10.99.0.1"

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "gm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keepOrRemove(t, dir) })
	w := &world{t: t, dir: dir, hub: newPlace(t)}
	w.hub.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
	w.hub.run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0") // else the kernel sends IGMP
	w.hub.run("ip", "addr", "add", hubAddress+"/24", "dev", "br0")
	w.hub.run("ip", "link", "set", "br0", "up")
	w.headscale = startHeadscale(t, w)
	return w
}

// keepOrRemove leaves the logs of a failed test.
func keepOrRemove(t *testing.T, dir string) {
	if !t.Failed() {
		os.RemoveAll(dir)
		return
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	t.Logf("logs: %v", logs)
}

// host makes a network namespace on the bridge.
func (w *world) host() (*place, netip.Addr) {
	w.t.Helper()
	w.hosts++
	address := fmt.Sprintf("10.99.0.%d", 10+w.hosts)
	h := newPlace(w.t)
	h.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv6.conf.all.disable_ipv6=1")
	port := fmt.Sprintf("v%d", w.hosts)
	w.hub.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(h.pid))
	w.hub.run("ip", "link", "set", port, "master", "br0", "up")
	h.run("ip", "addr", "add", address+"/24", "dev", "eth0")
	h.run("ip", "link", "set", "eth0", "up")
	h.run("ip", "route", "add", "default", "via", hubAddress)
	return h, netip.MustParseAddr(address)
}

// eventually waits until ok, checking often; what names it in the failure.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
