package sandbox

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
)

// Refused says how often the kernel refused the sandbox's connections to a pair.
type Refused struct {
	At    netip.AddrPort
	Count uint64
}

// Refused tells of each pair that was refused since the call before. A connection
// that is refused never opens: only the kernel has seen it.
func (s *Sandbox) Refused() ([]Refused, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil
	}
	now, err := s.table.refused()
	if err != nil {
		return nil, fmt.Errorf("sandbox %s: %w", s.ref.ID, err)
	}
	var out []Refused
	for at, count := range now {
		before := s.counted[at]
		if count < before {
			before = 0 // forgotten meanwhile, and counted from the beginning
		}
		if count > before {
			out = append(out, Refused{at, count - before})
		}
	}
	s.counted = now
	return out, nil
}

// refused reads the kernel's counters.
func (t *table) refused() (counters map[netip.AddrPort]uint64, err error) {
	err = t.batch(func(c *nftables.Conn) error {
		elements, err := c.GetSetElements(refusedSet())
		if err != nil {
			return err
		}
		counters = make(map[netip.AddrPort]uint64, len(elements))
		for _, e := range elements {
			if len(e.Key) == 8 && e.Counter != nil {
				counters[pairOf(e.Key)] = e.Counter.Packets
			}
		}
		return nil
	})
	return counters, err
}

// pairOf is the inverse of what elements does.
func pairOf(key []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(key[:4])), binary.BigEndian.Uint16(key[4:6]))
}
