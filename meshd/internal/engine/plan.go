// Package engine holds the desired state that the agent computed: permits,
// sandboxes, zones and topology versions. It promises that an apply is all in
// force when it answers, that one broken sandbox does not stop the rest, and that
// whatever is not in the state is denied. It knows permits, never rules.
package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"gstacks/meshd/internal/relay"
)

// Network is a network's applied topology version.
type Network struct {
	ID              string `json:"id"`
	TopologyVersion uint64 `json:"topologyVersion"`
}

// Sandbox names the process whose network namespace is the sandbox.
type Sandbox struct {
	ID        string `json:"id"`
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"`
	Zone      string `json:"zone"`
}

// Target is where an outbound permit leads: a sandbox here, or a mesh node.
type Target struct {
	Kind    string     `json:"kind"`
	Sandbox string     `json:"sandbox,omitempty"`
	Node    string     `json:"node,omitempty"`
	Address netip.Addr `json:"address,omitzero"`
}

const (
	ToSandbox = "sandbox"
	ToNode    = "node"
)

func (t Target) check() error {
	switch {
	case t.Kind == ToSandbox && t.Sandbox != "":
		return nil
	case t.Kind == ToNode && t.Node != "" && t.Address.IsValid():
		return nil
	}
	return fmt.Errorf("target needs kind %q with sandbox, or kind %q with node and address", ToSandbox, ToNode)
}

// Outbound lets one sandbox reach one alias and port, at its virtual address.
type Outbound struct {
	ID        string        `json:"id"`
	Sandbox   string        `json:"sandbox"`
	Network   string        `json:"network"`
	Alias     string        `json:"alias"`
	Address   netip.Addr    `json:"address"`
	Port      uint16        `json:"port"`
	Target    Target        `json:"target"`
	Rules     []string      `json:"rules"`
	ExpiresAt int64         `json:"expiresAt"`
	Limits    []relay.Limit `json:"limits"`
	// Source is whom the target's permits name, if that is not the sandbox itself: a
	// command on a developer's machine has its user's right.
	Source string `json:"source"`
	// Frozen lets no new stream in, and leaves the open ones alone.
	Frozen bool `json:"frozen"`
}

func (o *Outbound) at() netip.AddrPort { return netip.AddrPortFrom(o.Address, o.Port) }

// AskedBy is the source, as the target knows it.
func (o *Outbound) AskedBy() string { return cmp.Or(o.Source, o.Sandbox) }

func (o *Outbound) withdrawn() withdrawn { return withdrawn{permit: o.ID, network: o.Network} }

// sameWay tells whether flows of o may go on under p.
func (o *Outbound) sameWay(p *Outbound) bool {
	return o.Sandbox == p.Sandbox && o.Source == p.Source && o.at() == p.at() && o.Network == p.Network && o.Alias == p.Alias && o.Target == p.Target
}

func (o *Outbound) equal(p *Outbound) bool {
	return o.sameWay(p) && o.Frozen == p.Frozen && o.ExpiresAt == p.ExpiresAt && slices.Equal(o.Rules, p.Rules) && slices.Equal(o.Limits, p.Limits)
}

// Inbound lets one source sandbox on one mesh node reach a port of a sandbox here, or
// on a developer's machine the port Loopback of the machine's own loopback.
type Inbound struct {
	ID        string        `json:"id"`
	Network   string        `json:"network"`
	Node      string        `json:"node"`
	Source    string        `json:"source"`
	Alias     string        `json:"alias"`
	Port      uint16        `json:"port"`
	Sandbox   string        `json:"sandbox"`
	Loopback  uint16        `json:"loopback"`
	Rules     []string      `json:"rules"`
	ExpiresAt int64         `json:"expiresAt"`
	Limits    []relay.Limit `json:"limits"`
	Frozen    bool          `json:"frozen"`
}

// Door is what an inbound permit is looked up by.
type Door struct {
	Network, Node, Source, Alias string
	Port                         uint16
}

func (i *Inbound) door() Door { return Door{i.Network, i.Node, i.Source, i.Alias, i.Port} }

func (i *Inbound) withdrawn() withdrawn {
	return withdrawn{permit: i.ID, network: i.Network, inbound: true}
}

func (i *Inbound) sameWay(p *Inbound) bool {
	return i.door() == p.door() && i.Sandbox == p.Sandbox && i.Loopback == p.Loopback
}

// Target names what is behind the permit.
func (i *Inbound) Target() string {
	if i.Loopback != 0 {
		return fmt.Sprintf("loopback:%d", i.Loopback)
	}
	return i.Sandbox
}

func (i *Inbound) equal(p *Inbound) bool {
	return i.sameWay(p) && i.Frozen == p.Frozen && i.ExpiresAt == p.ExpiresAt && slices.Equal(i.Rules, p.Rules) && slices.Equal(i.Limits, p.Limits)
}

// Change is what a delta says of one kind of thing.
type Change[T any] struct {
	Upsert []T      `json:"upsert"`
	Remove []string `json:"remove"`
}

// delta is the one form that is applied; a whole plan becomes one against the
// state that is loaded.
type delta struct {
	Networks  Change[Network]         `json:"networks"`
	Zones     Change[json.RawMessage] `json:"zones"`
	Sandboxes Change[Sandbox]         `json:"sandboxes"`
	Outbound  Change[Outbound]        `json:"outbound"`
	Inbound   Change[Inbound]         `json:"inbound"`
}

type whole struct {
	Networks  []Network         `json:"networks"`
	Zones     []json.RawMessage `json:"zones"`
	Sandboxes []Sandbox         `json:"sandboxes"`
	Outbound  []Outbound        `json:"outbound"`
	Inbound   []Inbound         `json:"inbound"`
}

// Request is the params of apply.
type Request struct {
	Generation uint64          `json:"generation"`
	Base       *uint64         `json:"base"`
	Plan       json.RawMessage `json:"plan"`
}

// replace turns a whole plan into the delta that leads from s to it.
func (s *state) replace(w whole) (delta, error) {
	zones := make([]string, len(w.Zones))
	for i, raw := range w.Zones {
		id, err := zoneID(raw)
		if err != nil {
			return delta{}, err
		}
		zones[i] = id
	}
	return delta{
		Networks:  Change[Network]{w.Networks, gone(s.networks, w.Networks, func(n Network) string { return n.ID })},
		Zones:     Change[json.RawMessage]{w.Zones, gone(s.zones, zones, func(id string) string { return id })},
		Sandboxes: Change[Sandbox]{w.Sandboxes, gone(s.sandboxes, w.Sandboxes, func(b Sandbox) string { return b.ID })},
		Outbound:  Change[Outbound]{w.Outbound, gone(s.outbound, w.Outbound, func(o Outbound) string { return o.ID })},
		Inbound:   Change[Inbound]{w.Inbound, gone(s.inbound, w.Inbound, func(i Inbound) string { return i.ID })},
	}, nil
}

// gone lists the ids that are loaded and not wanted any more.
func gone[V, T any](loaded map[string]V, wanted []T, id func(T) string) []string {
	keep := make(map[string]bool, len(wanted))
	for _, w := range wanted {
		keep[id(w)] = true
	}
	var out []string
	for k := range loaded {
		if !keep[k] {
			out = append(out, k)
		}
	}
	return out
}

func zoneID(raw json.RawMessage) (string, error) {
	var z struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &z); err != nil {
		return "", fmt.Errorf("zone: %w", err)
	}
	if z.ID == "" {
		return "", fmt.Errorf("zone without id")
	}
	return z.ID, nil
}
