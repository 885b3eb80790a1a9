package daemon

import (
	"sync/atomic"

	"gstacks/meshd/internal/engine"
	"gstacks/meshd/internal/node"
	"gstacks/meshd/internal/process"
	"gstacks/meshd/internal/relay"
)

const mostFlows = 10_000

// counters only grow while the process lives.
type counters struct {
	Opened, Closed, Denied, Refused, Unreachable, Limited, Revoked, Overload atomic.Int64
}

func (c *counters) count(e relay.Event) {
	if e.Phase == "opened" {
		c.Opened.Add(1)
		return
	}
	c.Closed.Add(1)
	switch e.End {
	case relay.Refused:
		c.Refused.Add(1)
	case relay.Unreachable:
		c.Unreachable.Add(1)
	case relay.Limited:
		c.Limited.Add(1)
	case relay.Revoked:
		c.Revoked.Add(1)
	}
}

func (c *counters) snapshot() map[string]int64 {
	return map[string]int64{
		"opened": c.Opened.Load(), "closed": c.Closed.Load(), "denied": c.Denied.Load(), "refused": c.Refused.Load(),
		"unreachable": c.Unreachable.Load(), "limited": c.Limited.Load(), "revoked": c.Revoked.Load(), "overload": c.Overload.Load(),
	}
}

type statusResult struct {
	Instance   string                 `json:"instance"`
	Generation uint64                 `json:"generation"`
	Networks   []node.Status          `json:"networks"`
	Sandboxes  []engine.SandboxStatus `json:"sandboxes"`
	Flows      int                    `json:"flows"`
	// Descriptors are left out where they cannot be counted.
	Descriptors *process.Descriptors `json:"descriptors,omitempty"`
	Counters    map[string]int64     `json:"counters"`
	Memory      memoryFigures        `json:"memory"`
}

func (d *Daemon) status() statusResult {
	return statusResult{d.instance, d.engine.Generation(), d.nodes.Statuses(), d.engine.Sandboxes(), d.flows.Count(),
		process.OpenDescriptors(), d.counters.snapshot(), measure()}
}

type flowsParams struct {
	Limit int `json:"limit"`
}

func (p flowsParams) limit() int {
	if p.Limit <= 0 || p.Limit > mostFlows {
		return mostFlows
	}
	return p.Limit
}

func (d *Daemon) listFlows(p flowsParams) (any, error) {
	return map[string]any{"flows": d.flows.List(p.limit())}, nil
}

func (d *Daemon) countFlows(p flowsParams) (any, error) {
	permits, left := d.flows.Counts(p.limit())
	return map[string]any{"permits": permits, "left": left}, nil
}
