package daemon

import (
	"net/netip"
	"sync"

	"gstacks/meshd/internal/engine"
)

// mostDoors bounds the doors at which refused peers are counted; what they ask for is
// their word, and any text.
const (
	mostDoors    = 1024
	longestField = 64
)

// refusals counts the mesh streams of peers that had no permit here.
type refusals struct {
	mu sync.Mutex
	at map[engine.Door]uint64
}

func (r *refusals) add(door engine.Door) {
	if max(len(door.Source), len(door.Alias)) > longestField {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[engine.Door]uint64{}
	}
	if _, known := r.at[door]; known || len(r.at) < mostDoors {
		r.at[door]++
	}
}

// take returns the counts and forgets them.
func (r *refusals) take() map[engine.Door]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.at
	r.at = nil
	return at
}

// outboundRefusal is what the kernel refused a sandbox, inboundRefusal what this meshd
// refused a peer.
type outboundRefusal struct {
	Sandbox string     `json:"sandbox"`
	Address netip.Addr `json:"address"`
	Port    uint16     `json:"port"`
	Count   uint64     `json:"count"`
}

type inboundRefusal struct {
	Network string `json:"network"`
	Node    string `json:"node"`
	Source  string `json:"source"`
	Alias   string `json:"alias"`
	Port    uint16 `json:"port"`
	Count   uint64 `json:"count"`
}

type refusalsResult struct {
	Outbound []outboundRefusal `json:"outbound"`
	Inbound  []inboundRefusal  `json:"inbound"`
}

// takeRefusals tells what was refused since the call before.
func (d *Daemon) takeRefusals() refusalsResult {
	result := refusalsResult{Outbound: []outboundRefusal{}, Inbound: []inboundRefusal{}}
	sandboxes, errs := d.engine.Refused()
	for _, err := range errs {
		d.log.Warn("refusals cannot be counted", "error", err)
	}
	for _, s := range sandboxes {
		for _, r := range s.Refused {
			result.Outbound = append(result.Outbound, outboundRefusal{s.Sandbox, r.At.Addr(), r.At.Port(), r.Count})
		}
	}
	for door, count := range d.refusals.take() {
		result.Inbound = append(result.Inbound, inboundRefusal{door.Network, door.Node, door.Source, door.Alias, door.Port, count})
	}
	return result
}
