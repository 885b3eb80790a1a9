// Package daemon puts meshd together: the plan, the nodes, the flows and the API.
// It promises that every stream is judged here, on the source's and on the target's
// host, by a permit that the agent loaded, and by nothing else.
package daemon

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/api"
	"gstacks/meshd/internal/dns"
	"gstacks/meshd/internal/engine"
	"gstacks/meshd/internal/forward"
	"gstacks/meshd/internal/node"
	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/sandbox"
)

// Daemon is one running meshd.
type Daemon struct {
	version  string
	instance string
	log      *slog.Logger
	lock     *os.File
	events   *api.Hub
	counters counters
	refusals refusals
	memory   memory
	flows    *relay.Table
	engine   *engine.Engine
	nodes    *node.Nodes
	pending  chan struct{} // mesh streams whose preface has not been judged yet
	forwards *forward.Table
	// forwarded counts the mesh streams that forwards have asked for.
	forwarded atomic.Int64
	tun       error // why there is no kernel transport, or nil
	netns     bool
}

// pendingStreams bounds what peers can hold open before they are known.
const pendingStreams = 1024

// New makes a daemon whose state is under dir, which no other meshd may use.
func New(version, dir string, log *slog.Logger) (*Daemon, error) {
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	d := &Daemon{version: version, instance: randomID(), log: log, lock: lock, events: api.NewHub(),
		pending: make(chan struct{}, pendingStreams)}
	d.tun = node.ProbeTUN()
	d.netns = canUseNamespaces()
	budget := relay.Budget()
	d.flows = relay.NewTable(budget, d.instance, d.flowChanged)
	d.engine = engine.New(d.openSandbox, d.revoke, d.flows.Limit, func(s engine.SandboxStatus) { d.events.Publish("sandbox", s) })
	d.nodes = node.NewNodes(dir, log, node.Hooks{
		Changed: func(s node.Status) { d.events.Publish("node", s) },
		Stream:  d.inbound,
	})
	d.forwards = forward.NewTable(d.forward, log)
	log.Info("started", "instance", d.instance, "version", version, "tun", d.tun == nil, "tunReason", d.tun, "netns", d.netns, "flowBudget", budget)
	return d, nil
}

// Events is where the API's subscribers hear from.
func (d *Daemon) Events() *api.Hub { return d.events }

// Close ends it in order: sandboxes refuse, flows are reset, nodes leave the mesh.
func (d *Daemon) Close() {
	d.forwards.CloseAll()
	d.engine.Close()
	closed := d.flows.Stop()
	d.nodes.Close()
	d.lock.Close()
	d.log.Info("stopped", "closedFlows", len(closed))
}

// revoke resets the flows of the permits, and names the streams.
func (d *Daemon) revoke(permits ...string) []engine.Stream {
	ended := d.flows.Revoke(permits...)
	streams := make([]engine.Stream, len(ended))
	for i, f := range ended {
		streams[i] = engine.Stream{Permit: f.Permit, ID: f.Stream}
	}
	return streams
}

func (d *Daemon) openSandbox(ref sandbox.Ref, permitted []netip.AddrPort, zone *dns.Zone) (engine.Handle, error) {
	s, err := sandbox.Open(ref, permitted, zone, d.outbound)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (d *Daemon) flowChanged(e relay.Event) {
	d.counters.count(e)
	if e.Error != "" {
		d.log.Debug("flow failed", "flow", e.ID, "end", e.End, "error", e.Error)
	}
	d.memory.flow(e)
	d.events.Publish("flow", e)
}

// lockDir makes dir and holds it against a second meshd.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("state directory %s is in use by another meshd: stop it, or choose another -state", dir)
	}
	return f, nil
}

func randomID() string {
	b := make([]byte, 4)
	rand.Read(b)
	return hex.EncodeToString(b)
}
