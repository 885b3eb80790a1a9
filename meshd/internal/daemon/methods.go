package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"regexp"
	"syscall"
	"time"

	"gstacks/meshd/internal/api"
	"gstacks/meshd/internal/engine"
	"gstacks/meshd/internal/node"
)

const protocolVersion = 1

// Handle answers one API request; the methods are described in docs/protocol.md.
func (d *Daemon) Handle(ctx context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case "hello":
		return call(params, d.hello)
	case "subscribe": // a second one on the same connection changes nothing
		return struct{}{}, nil
	case "apply":
		return call(params, func(r engine.Request) (any, error) { return d.apply(api.Connection(ctx), r) })
	case "join":
		// A join outlives the connection that asked for it: it uses up a key.
		return call(params, func(p joinParams) (any, error) { return d.join(context.WithoutCancel(ctx), p) })
	case "leave":
		return call(params, d.leave)
	case "status":
		return d.status(), nil
	case "flows":
		return call(params, d.listFlows)
	case "flowCounts":
		return call(params, d.countFlows)
	case "refusals":
		return d.takeRefusals(), nil
	case "probe":
		return call(params, func(p probeParams) (any, error) { return d.probe(ctx, p) })
	case "connect":
		return call(params, func(p connectParams) (any, error) { return d.tryConnect(ctx, p) })
	case "listen":
		return call(params, d.listen)
	case "unlisten":
		return call(params, d.unlisten)
	case "forwards":
		return map[string]any{"forwards": d.forwards.List()}, nil
	case "ping":
		return call(params, func(p pingParams) (any, error) { return d.ping(ctx, p) })
	case "trim":
		trim()
		return struct{}{}, nil
	}
	return nil, &api.Error{Code: "unknown_method", Message: "no method " + method}
}

// call decodes params and runs a method.
func call[P any](raw json.RawMessage, method func(P) (any, error)) (any, error) {
	var p P
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, badRequest(err.Error())
		}
	}
	return method(p)
}

func badRequest(message string) error { return &api.Error{Code: "bad_request", Message: message} }

type helloParams struct {
	Protocol int `json:"protocol"`
}

func (d *Daemon) hello(p helloParams) (any, error) {
	if p.Protocol != protocolVersion {
		return nil, badRequest("this meshd speaks protocol 1 only; agent and meshd must be of the same release")
	}
	type capabilities struct {
		TUN       bool   `json:"tun"`
		TUNReason string `json:"tunReason,omitempty"`
		Netns     bool   `json:"netns"`
	}
	c := capabilities{TUN: d.tun == nil, Netns: d.netns}
	if d.tun != nil {
		c.TUNReason = d.tun.Error()
	}
	return struct {
		Protocol     int          `json:"protocol"`
		Version      string       `json:"version"`
		PID          int          `json:"pid"`
		Instance     string       `json:"instance"`
		Generation   uint64       `json:"generation"`
		Capabilities capabilities `json:"capabilities"`
	}{protocolVersion, d.version, os.Getpid(), d.instance, d.engine.Generation(), c}, nil
}

func (d *Daemon) apply(connection uint64, r engine.Request) (any, error) {
	result, err := d.engine.Apply(connection, r)
	var mismatch *engine.MismatchError
	var plan engine.PlanError
	switch {
	case errors.As(err, &mismatch):
		return nil, &api.Error{Code: "generation_mismatch", Message: err.Error(), Data: map[string]uint64{"generation": mismatch.Loaded}}
	case errors.As(err, &plan):
		return nil, badRequest(err.Error())
	case errors.Is(err, engine.ErrSuperseded):
		return nil, &api.Error{Code: "superseded", Message: err.Error()}
	case err != nil:
		return nil, err
	}
	d.memory.plan(len(r.Plan))
	for _, s := range result.Sandboxes {
		if !s.OK {
			d.log.Warn("sandbox is not served", "sandbox", s.ID, "error", s.Error)
		}
	}
	return result, nil
}

type joinParams struct {
	Network    string `json:"network"`
	Hostname   string `json:"hostname"`
	ControlURL string `json:"controlUrl"`
	AuthKey    string `json:"authKey"`
	UDPPort    uint16 `json:"udpPort"`
	Transport  string `json:"transport"`
}

// networkID keeps a network's id fit for a directory's name.
var networkID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func (d *Daemon) join(ctx context.Context, p joinParams) (any, error) {
	switch {
	case !networkID.MatchString(p.Network):
		return nil, badRequest("network must be an id of letters, digits, - and _")
	case p.Transport != "auto" && p.Transport != "netstack":
		return nil, badRequest(`transport must be "auto" or "netstack"`)
	case p.ControlURL == "" || p.Hostname == "":
		return nil, badRequest("controlUrl and hostname are needed")
	}
	start := time.Now()
	st, err := d.nodes.Join(ctx, node.Config{Network: p.Network, Hostname: p.Hostname, ControlURL: p.ControlURL,
		AuthKey: p.AuthKey, UDPPort: p.UDPPort, Transport: p.Transport})
	if err != nil {
		d.log.Warn("join failed", "network", p.Network, "error", err, "ms", time.Since(start).Milliseconds())
		return nil, &api.Error{Code: joinCode(err), Message: err.Error()}
	}
	d.log.Info("joined", "network", p.Network, "node", st.NodeID, "address", st.Address, "transport", st.Transport,
		"transportReason", st.TransportReason, "ms", time.Since(start).Milliseconds())
	return st, nil
}

func joinCode(err error) string {
	switch {
	case errors.Is(err, node.ErrNeedsKey):
		return "needs_key"
	case errors.Is(err, node.ErrJoinTimeout):
		return "timeout"
	}
	return "join_failed"
}

type leaveParams struct {
	Network string `json:"network"`
	Forget  bool   `json:"forget"`
}

func (d *Daemon) leave(p leaveParams) (any, error) {
	if !networkID.MatchString(p.Network) {
		return nil, badRequest("network must be an id of letters, digits, - and _")
	}
	if err := d.nodes.Leave(p.Network, p.Forget); err != nil {
		return nil, err
	}
	d.log.Info("left", "network", p.Network, "forgotten", p.Forget)
	return struct{}{}, nil
}

type connectParams struct {
	Sandbox string `json:"sandbox"`
	Port    uint16 `json:"port"`
}

// tryConnect tells whether a sandbox's app listens.
func (d *Daemon) tryConnect(ctx context.Context, p connectParams) (any, error) {
	start := time.Now()
	c, err := d.engine.Dial(ctx, p.Sandbox, p.Port, appDeadline)
	if err != nil {
		return nil, &api.Error{Code: connectCode(err), Message: err.Error()}
	}
	c.Close()
	return map[string]int64{"micros": time.Since(start).Microseconds()}, nil
}

func connectCode(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, engine.ErrUnknownSandbox):
		return "unknown_sandbox"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "failed"
}
