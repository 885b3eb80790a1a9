package engine

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"gstacks/meshd/internal/dns"
)

// zone is a parsed zone and the digest of what it was parsed from.
type zone struct {
	parsed *dns.Zone
	digest [sha256.Size]byte
}

// state is the loaded plan with its indexes, which leave frozen permits out.
// Lookups hold mu for reading; only apply and expiry, which hold Engine.applying,
// write.
type state struct {
	mu        sync.RWMutex
	networks  map[string]uint64
	zones     map[string]zone
	sandboxes map[string]*box
	outbound  map[string]*Outbound
	inbound   map[string]*Inbound
	routes    map[string]map[netip.AddrPort]*Outbound // by sandbox
	doors     map[Door]*Inbound
}

func newState() *state {
	return &state{
		networks: map[string]uint64{}, zones: map[string]zone{}, sandboxes: map[string]*box{},
		outbound: map[string]*Outbound{}, inbound: map[string]*Inbound{},
		routes: map[string]map[netip.AddrPort]*Outbound{}, doors: map[Door]*Inbound{},
	}
}

func (s *state) putOutbound(o *Outbound) {
	s.dropOutbound(o.ID)
	s.outbound[o.ID] = o
	if o.Frozen {
		return
	}
	of := s.routes[o.Sandbox]
	if of == nil {
		of = map[netip.AddrPort]*Outbound{}
		s.routes[o.Sandbox] = of
	}
	of[o.at()] = o
}

// dropOutbound leaves the route alone when another permit has taken it over.
func (s *state) dropOutbound(id string) {
	o := s.outbound[id]
	if o == nil {
		return
	}
	delete(s.outbound, id)
	if of := s.routes[o.Sandbox]; of[o.at()] == o {
		delete(of, o.at())
		if len(of) == 0 {
			delete(s.routes, o.Sandbox)
		}
	}
}

func (s *state) putInbound(i *Inbound) {
	s.dropInbound(i.ID)
	s.inbound[i.ID] = i
	if !i.Frozen {
		s.doors[i.door()] = i
	}
}

func (s *state) dropInbound(id string) {
	i := s.inbound[id]
	if i == nil {
		return
	}
	delete(s.inbound, id)
	if s.doors[i.door()] == i {
		delete(s.doors, i.door())
	}
}

// permitted lists the addresses that a sandbox may reach.
func (s *state) permitted(sandbox string) []netip.AddrPort {
	of := s.routes[sandbox]
	out := make([]netip.AddrPort, 0, len(of))
	for at := range of {
		out = append(out, at)
	}
	return out
}

func expired(at int64) bool { return at != 0 && time.Now().UnixMilli() >= at }
