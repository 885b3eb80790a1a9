package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"gstacks/meshd/internal/dns"
)

// check validates a delta against the loaded state before anything is changed, and
// parses the zones that are new. Permits that have expired already are moved to
// the removals.
func (s *state) check(d *delta) (map[string]zone, error) {
	zones, err := s.checkZones(d)
	if err != nil {
		return nil, err
	}
	for _, n := range d.Networks.Upsert {
		if n.ID == "" {
			return nil, fmt.Errorf("network without id")
		}
	}
	if err := s.checkSandboxes(d, zones); err != nil {
		return nil, err
	}
	if err := s.checkOutbound(&d.Outbound); err != nil {
		return nil, err
	}
	return zones, s.checkInbound(&d.Inbound)
}

// checkZones returns the zones that the delta adds or changes; one whose text is
// the same as before is not parsed again.
func (s *state) checkZones(d *delta) (map[string]zone, error) {
	zones := map[string]zone{}
	for _, raw := range d.Zones.Upsert {
		id, err := zoneID(raw)
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256(compact(raw))
		if s.zones[id].parsed != nil && s.zones[id].digest == digest {
			continue
		}
		parsed, err := dns.ParseZone(raw)
		if err != nil {
			return nil, fmt.Errorf("zone %s: %w", id, err)
		}
		zones[id] = zone{parsed, digest}
	}
	return zones, nil
}

func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// checkSandboxes makes sure that every sandbox has its zone afterwards.
func (s *state) checkSandboxes(d *delta, added map[string]zone) error {
	removed, replaced := set(d.Zones.Remove), map[string]bool{}
	known := func(id string) bool {
		_, fresh := added[id]
		_, loaded := s.zones[id]
		return fresh || loaded && !removed[id]
	}
	for _, b := range d.Sandboxes.Upsert {
		replaced[b.ID] = true
		switch {
		case b.ID == "" || b.PID <= 0:
			return fmt.Errorf("sandbox %q: needs id and pid", b.ID)
		case !known(b.Zone):
			return fmt.Errorf("sandbox %s: zone %q is not in the plan", b.ID, b.Zone)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	for _, id := range d.Sandboxes.Remove {
		replaced[id] = true
	}
	for id, b := range s.sandboxes {
		if !replaced[id] && !known(b.spec.Zone) {
			return fmt.Errorf("sandbox %s still uses zone %s, which the delta removes", id, b.spec.Zone)
		}
	}
	return nil
}

// virtual is where aliases have their addresses.
var virtual = netip.MustParsePrefix("127.64.0.0/10")

func (s *state) checkOutbound(c *Change[Outbound]) error {
	type key struct {
		sandbox string
		at      netip.AddrPort
	}
	leaving, taken := set(c.Remove), map[key]string{}
	for i := range c.Upsert {
		leaving[c.Upsert[i].ID] = true // its old place, if it moves
	}
	kept := c.Upsert[:0]
	for _, o := range c.Upsert {
		k := key{o.Sandbox, o.at()}
		holder := s.routes[o.Sandbox][o.at()]
		switch {
		case o.ID == "" || o.Sandbox == "" || o.Network == "" || o.Alias == "" || o.Port == 0:
			return fmt.Errorf("outbound permit %q: needs id, sandbox, network, alias and port", o.ID)
		case !virtual.Contains(o.Address):
			return fmt.Errorf("outbound permit %s: address %v is not in %v", o.ID, o.Address, virtual)
		case !o.Frozen && (taken[k] != "" && taken[k] != o.ID || holder != nil && !leaving[holder.ID]):
			return fmt.Errorf("outbound permit %s: another permit has sandbox %s and %v already", o.ID, o.Sandbox, o.at())
		}
		if err := o.Target.check(); err != nil {
			return fmt.Errorf("outbound permit %s: %w", o.ID, err)
		}
		if expired(o.ExpiresAt) {
			c.Remove = append(c.Remove, o.ID)
			continue
		}
		if !o.Frozen {
			taken[k] = o.ID
		}
		kept = append(kept, o)
	}
	c.Upsert = kept
	c.Remove = without(c.Remove, kept, func(o Outbound) string { return o.ID })
	return nil
}

func (s *state) checkInbound(c *Change[Inbound]) error {
	leaving, taken := set(c.Remove), map[Door]string{}
	for i := range c.Upsert {
		leaving[c.Upsert[i].ID] = true
	}
	kept := c.Upsert[:0]
	for _, p := range c.Upsert {
		holder := s.doors[p.door()]
		switch {
		case p.ID == "" || p.Network == "" || p.Node == "" || p.Source == "" || p.Alias == "" || p.Port == 0:
			return fmt.Errorf("inbound permit %q: needs id, network, node, source, alias and port", p.ID)
		case (p.Sandbox == "") == (p.Loopback == 0):
			return fmt.Errorf("inbound permit %s: needs a sandbox or a port of the loopback, and not both", p.ID)
		case !p.Frozen && (taken[p.door()] != "" && taken[p.door()] != p.ID || holder != nil && !leaving[holder.ID]):
			return fmt.Errorf("inbound permit %s: another permit has the same network, node, source, alias and port", p.ID)
		}
		if expired(p.ExpiresAt) {
			c.Remove = append(c.Remove, p.ID)
			continue
		}
		if !p.Frozen {
			taken[p.door()] = p.ID
		}
		kept = append(kept, p)
	}
	c.Upsert = kept
	c.Remove = without(c.Remove, kept, func(p Inbound) string { return p.ID })
	return nil
}

// without leaves out of the removals what the same delta upserts.
func without[T any](remove []string, upsert []T, id func(T) string) []string {
	keep := make(map[string]bool, len(upsert))
	for _, u := range upsert {
		keep[id(u)] = true
	}
	return slices.DeleteFunc(remove, func(r string) bool { return keep[r] })
}

func set(ids []string) map[string]bool {
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}
