package engine

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"gstacks/meshd/internal/dns"
	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/sandbox"
	"gstacks/meshd/internal/socket"
)

// fakeBox stands for an open sandbox.
type fakeBox struct {
	mu        sync.Mutex
	permitted map[netip.AddrPort]bool
	fail      error
	refused   []sandbox.Refused
	gone      chan struct{}
	once      sync.Once
}

func (f *fakeBox) Update(add, remove []netip.AddrPort) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	for _, a := range add {
		f.permitted[a] = true
	}
	for _, r := range remove {
		delete(f.permitted, r)
	}
	return nil
}

func (f *fakeBox) Dial(context.Context, uint16, time.Duration) (*socket.Conn, error) {
	return nil, errors.New("fake")
}
func (f *fakeBox) Enter(context.Context, netip.AddrPort, time.Duration) error { return nil }
func (f *fakeBox) Resolve(context.Context, string, time.Duration) (netip.Addr, error) {
	return netip.Addr{}, nil
}
func (f *fakeBox) SetZone(*dns.Zone)       {}
func (f *fakeBox) Ports() (uint16, uint16) { return 61000, 61001 }
func (f *fakeBox) Refused() ([]sandbox.Refused, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	refused := f.refused
	f.refused = nil
	return refused, f.fail
}
func (f *fakeBox) Gone() <-chan struct{} { return f.gone }
func (f *fakeBox) Close() error          { f.once.Do(func() { close(f.gone) }); return nil }

// rig is an engine on fake sandboxes.
type rig struct {
	*Engine
	connection uint64
	t          *testing.T
	mu         sync.Mutex
	boxes      map[string]*fakeBox
	broken     map[string]error
	revoked    chan []string
	told       chan SandboxStatus
	limits     map[string][]relay.Limit // as the flows of permits were last told
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, boxes: map[string]*fakeBox{}, broken: map[string]error{}, revoked: make(chan []string, 1000), told: make(chan SandboxStatus, 1000), limits: map[string][]relay.Limit{}}
	open := func(ref sandbox.Ref, permitted []netip.AddrPort, _ *dns.Zone) (Handle, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := r.broken[ref.ID]; err != nil {
			return nil, err
		}
		b := &fakeBox{permitted: map[netip.AddrPort]bool{}, gone: make(chan struct{})}
		b.Update(permitted, nil)
		r.boxes[ref.ID] = b
		return b, nil
	}
	r.Engine = New(open, func(ids ...string) (streams []Stream) {
		if len(ids) > 0 {
			r.revoked <- ids
		}
		for _, id := range ids {
			streams = append(streams, Stream{Permit: id, ID: "stream of " + id})
		}
		return streams
	}, func(permit string, limits []relay.Limit) { r.limits[permit] = limits }, func(s SandboxStatus) { r.told <- s })
	t.Cleanup(r.Close)
	return r
}

func (r *rig) send(base any, plan any) (Result, error) {
	r.t.Helper()
	raw, err := json.Marshal(plan)
	if err != nil {
		r.t.Fatal(err)
	}
	q := Request{Generation: r.Generation() + 1, Plan: raw}
	if b, ok := base.(uint64); ok {
		q.Base = &b
	}
	return r.Apply(r.connection, q)
}

func (r *rig) must(base any, plan any) Result {
	r.t.Helper()
	res, err := r.send(base, plan)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func (r *rig) delta(plan any) Result { r.t.Helper(); return r.must(r.Generation(), plan) }

// drained returns the permits revoked since the last call.
func (r *rig) drained() (out []string) {
	for {
		select {
		case ids := <-r.revoked:
			out = append(out, ids...)
		default:
			slices.Sort(out)
			return out
		}
	}
}

func (r *rig) permitted(id string) []string {
	r.mu.Lock()
	b := r.boxes[id]
	r.mu.Unlock()
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for a := range b.permitted {
		out = append(out, a.String())
	}
	slices.Sort(out)
	return out
}

func (r *rig) target(sandbox, at string) (target string) {
	r.WithOutbound(sandbox, netip.MustParseAddrPort(at), func(o *Outbound, _ uint64) { target = o.Target.Sandbox + o.Target.Node })
	return target
}

type object = map[string]any

func zoneObject(id string) object { return object{"id": id, "origins": object{}, "names": object{}} }

func boxObject(id string) object { return object{"id": id, "pid": 1, "startTime": 2, "zone": "z"} }

func outObject(id, sandbox, at, to string) object {
	a := netip.MustParseAddrPort(at)
	return object{"id": id, "sandbox": sandbox, "network": "n", "alias": "api", "address": a.Addr(), "port": a.Port(),
		"target": object{"kind": "sandbox", "sandbox": to}, "rules": []string{"r"}}
}

func inObject(id, node, source, to string) object {
	return object{"id": id, "network": "n", "node": node, "source": source, "alias": "api", "port": 80, "sandbox": to, "rules": []string{}}
}

func toLoopback(inbound object, port uint16) object {
	inbound["loopback"] = port
	return inbound
}

func basePlan(outbound ...object) object {
	return object{"networks": []object{{"id": "n", "topologyVersion": 7}}, "zones": []object{zoneObject("z")},
		"sandboxes": []object{boxObject("a"), boxObject("b")}, "outbound": outbound, "inbound": []object{}}
}

const at1, at2 = "127.64.1.1:80", "127.64.1.2:80"

func upsert(kind string, items ...object) object { return object{kind: object{"upsert": items}} }

func remove(kind string, ids ...string) object { return object{kind: object{"remove": ids}} }
