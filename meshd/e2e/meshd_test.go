//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// meshd is a running meshd and the agent's side of its control socket.
type meshd struct {
	t         *testing.T
	w         *world
	name      string
	place     *place
	transport string
	command   *exec.Cmd
	conn      net.Conn
	lines     *bufio.Scanner
	next      int
	id        string // its mesh node's
	address   string
	version   uint64
	kill      func()
}

const network = "net_1"

// meshd starts one on a new host and joins it to the network.
func (w *world) meshd(name, transport string) *meshd {
	w.t.Helper()
	host, _ := w.host()
	m := &meshd{t: w.t, w: w, name: name, place: host, transport: transport}
	w.t.Cleanup(func() { m.kill() })
	m.start()
	m.join()
	return m
}

func (m *meshd) start() {
	m.t.Helper()
	socket := filepath.Join(m.w.dir, m.name, "sock")
	m.command = m.place.spawn(filepath.Join(m.w.dir, m.name+".log"), os.Getenv("GSTACKS_MESHD"),
		"-socket", socket, "-state", filepath.Join(m.w.dir, m.name, "state"), "-log-level", "debug")
	command := m.command
	m.kill = sync.OnceFunc(func() { command.Process.Kill(); command.Wait() })
	eventually(m.t, 10*time.Second, m.name+" answers", func() bool {
		c, err := net.Dial("unix", socket)
		m.conn = c
		return err == nil
	})
	m.t.Cleanup(func() { m.conn.Close() })
	m.lines = bufio.NewScanner(m.conn)
	m.lines.Buffer(nil, 64<<20)
}

// ask sends one request and decodes the result, or returns the error's code.
func (m *meshd) ask(method string, params, result any) (code string) {
	m.t.Helper()
	m.next++
	line, err := json.Marshal(map[string]any{"id": m.next, "method": method, "params": params})
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.conn.Write(append(line, '\n')); err != nil {
		m.t.Fatal(err)
	}
	if !m.lines.Scan() {
		m.t.Fatalf("%s: no answer to %s: %v", m.name, method, m.lines.Err())
	}
	var r struct {
		Result json.RawMessage
		Error  *struct{ Code, Message string }
	}
	if err := json.Unmarshal(m.lines.Bytes(), &r); err != nil {
		m.t.Fatal(err)
	}
	if r.Error != nil {
		m.t.Logf("%s %s: %s: %s", m.name, method, r.Error.Code, r.Error.Message)
		return r.Error.Code
	}
	if result != nil {
		if err := json.Unmarshal(r.Result, result); err != nil {
			m.t.Fatal(err)
		}
	}
	return ""
}

func (m *meshd) must(method string, params, result any) {
	m.t.Helper()
	if code := m.ask(method, params, result); code != "" {
		m.t.Fatalf("%s: %s failed: %s", m.name, method, code)
	}
}

type nodeStatus struct {
	State, NodeID, Address, Transport, TransportReason string
	Peers                                              []struct {
		NodeID, Address, Path string
		Ready                 bool
	}
}

func (m *meshd) joinParams() map[string]any {
	return map[string]any{"network": network, "hostname": m.name, "controlUrl": "http://" + hubAddress + ":8080",
		"authKey": m.w.headscale.key, "udpPort": 41641, "transport": m.transport}
}

func (m *meshd) join() {
	m.t.Helper()
	var st nodeStatus
	start := time.Now()
	m.must("join", m.joinParams(), &st)
	m.id, m.address = st.NodeID, st.Address
	m.t.Logf("%s joined as %s by %s %s in %v", m.name, st.Address, st.Transport, st.TransportReason, time.Since(start).Round(time.Millisecond))
}

type object = map[string]any

// applied is the answer to apply.
type applied struct {
	Generation  uint64
	Micros      int64
	ClosedFlows int
	Sandboxes   []struct {
		ID    string
		OK    bool
		Error string
	}
}

// apply sends a whole plan, whose sandboxes must all be served.
func (m *meshd) apply(sandboxes map[string]*place, outbound, inbound []object) applied {
	m.t.Helper()
	m.version++
	boxes := []object{}
	for id, p := range sandboxes {
		boxes = append(boxes, object{"id": id, "pid": p.pid, "startTime": p.startTime, "zone": "z"})
	}
	plan := object{
		"networks":  []object{{"id": network, "topologyVersion": 1}},
		"zones":     []object{{"id": "z", "origins": object{}, "names": object{}}},
		"sandboxes": boxes, "outbound": orEmpty(outbound), "inbound": orEmpty(inbound),
	}
	var a applied
	m.must("apply", object{"generation": m.version, "base": nil, "plan": plan}, &a)
	for _, s := range a.Sandboxes {
		if !s.OK {
			m.t.Fatalf("%s: sandbox %s: %s", m.name, s.ID, s.Error)
		}
	}
	return a
}

func orEmpty(list []object) []object {
	if list == nil {
		return []object{}
	}
	return list
}

// outbound lets a sandbox reach api at 127.64.1.1.
func outbound(id, sandbox string, port int, target object) object {
	return object{"id": id, "sandbox": sandbox, "network": network, "alias": "als_api", "address": "127.64.1.1", "port": port,
		"target": target, "rules": []string{"rul_1"}}
}

func inbound(id string, from *meshd, source, sandbox string, port int) object {
	return object{"id": id, "network": network, "node": from.id, "source": source, "alias": "als_api", "port": port,
		"sandbox": sandbox, "rules": []string{"rul_1"}}
}

func toNode(m *meshd) object { return object{"kind": "node", "node": m.id, "address": m.address} }

func toSandbox(id string) object { return object{"kind": "sandbox", "sandbox": id} }

// awaitPeer waits until peer can be dialled at once.
func (m *meshd) awaitPeer(peer *meshd) {
	m.t.Helper()
	start := time.Now()
	defer func() {
		m.t.Logf("%s sees %s ready after %v", m.name, peer.name, time.Since(start).Round(time.Millisecond))
	}()
	eventually(m.t, 20*time.Second, fmt.Sprintf("%s sees %s ready", m.name, peer.name), func() bool {
		var st struct{ Networks []nodeStatus }
		m.must("status", object{}, &st)
		for _, n := range st.Networks {
			for _, p := range n.Peers {
				if p.NodeID == peer.id && p.Ready {
					return true
				}
			}
		}
		return false
	})
}
