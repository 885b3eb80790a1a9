package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"gstacks/meshd/internal/engine"
	"gstacks/meshd/internal/node"
	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/wire"
)

const (
	prefaceDeadline = 5 * time.Second
	behindWait      = time.Second
	judgeDeadline   = behindWait + appDeadline + time.Second
	drainDeadline   = time.Second
	drainBytes      = 1 << 20
)

// inbound takes a mesh stream from a peer: who it is, the mesh says; what it wants,
// the preface; whether it may, the permit.
func (d *Daemon) inbound(n *node.Node, stream net.Conn) {
	select {
	case d.pending <- struct{}{}:
	default:
		d.counters.Overload.Add(1)
		abort(stream)
		return
	}
	flow, source, app := d.admit(n, stream)
	<-d.pending
	if flow != nil {
		flow.Relay(source, app, nil)
	}
}

// admit answers the preface. It returns the flow to relay, or nil when the stream
// has been dealt with.
func (d *Daemon) admit(n *node.Node, stream net.Conn) (flow *relay.Flow, source, app *relay.Side) {
	ctx, cancel := context.WithTimeout(context.Background(), judgeDeadline)
	defer cancel()
	p, no := readPreface(n, stream)
	if no == nil && p.Probe && p.Pad != "" {
		padded(stream, p)
		return nil, nil, nil
	}
	start := time.Now()
	if no == nil {
		var permit engine.Inbound
		if permit, flow, no = d.judge(ctx, n, stream, p); no == nil {
			return d.connect(ctx, n, stream, p, permit, flow, time.Since(start))
		}
	}
	if p.Probe {
		no.v.JudgeMicros = time.Since(start).Microseconds()
	}
	if no.v.Code == wire.Denied && !p.Probe {
		d.counters.Denied.Add(1)
	}
	refuse(stream, no)
	return nil, nil, nil
}

func readPreface(n *node.Node, stream net.Conn) (wire.Preface, *refusal) {
	stream.SetReadDeadline(time.Now().Add(prefaceDeadline))
	p, err := wire.ReadPreface(stream)
	stream.SetReadDeadline(time.Time{})
	switch {
	case err != nil:
		return p, no(wire.BadPreface, err.Error())
	case p.Network != n.Network():
		return p, no(wire.Denied, "this mesh does not carry that network")
	}
	return p, nil
}

// judge finds the permit for the caller's wish, and opens its flow unless it is
// only a probe.
func (d *Daemon) judge(ctx context.Context, n *node.Node, stream net.Conn, p wire.Preface) (permit engine.Inbound, flow *relay.Flow, _ *refusal) {
	caller, err := n.Caller(ctx, stream)
	if err != nil {
		d.log.Warn("cannot tell who opened a mesh stream", "network", p.Network, "error", err)
		return permit, nil, no(wire.Denied, "the caller is not known here")
	}
	if !d.engine.Caught(ctx, p.Network, p.Version, behindWait) {
		return permit, nil, no(wire.Behind, fmt.Sprintf("topology version %d is not applied here yet", p.Version))
	}
	door := engine.Door{Network: p.Network, Node: caller, Source: p.Source, Alias: p.Alias, Port: p.Port}
	ok := d.engine.WithInbound(door, func(i *engine.Inbound) {
		permit = *i
		if !p.Probe {
			flow, err = d.flows.Open(inboundInfo(i, p.Trace), nil)
		}
	})
	switch {
	case !ok:
		if !p.Probe {
			d.refusals.add(door)
		}
		return permit, nil, no(wire.Denied, "no permit for this source, alias and port")
	case err != nil:
		return permit, nil, no(wire.Limit, err.Error())
	}
	return permit, flow, nil
}

// connect reaches the app and sends the verdict. The stream joins the flow only
// with it: until then a failure has to be answered, not reset.
func (d *Daemon) connect(ctx context.Context, n *node.Node, stream net.Conn, p wire.Preface, permit engine.Inbound, flow *relay.Flow, judged time.Duration) (*relay.Flow, *relay.Side, *relay.Side) {
	start := time.Now()
	conn, err := d.engine.Reach(ctx, &permit, appDeadline)
	if err != nil {
		if flow != nil {
			flow.Fail(relay.Unreachable, err)
		}
		r := no(wire.Unreachable, err.Error())
		if p.Probe {
			r.v.JudgeMicros, r.v.ConnectMicros = judged.Microseconds(), time.Since(start).Microseconds()
		}
		refuse(stream, r)
		return nil, nil, nil
	}
	verdict := wire.Verdict{OK: true, Framed: n.Chunked(), ConnectMicros: time.Since(start).Microseconds()}
	if p.Probe {
		verdict.JudgeMicros = judged.Microseconds()
		probed(stream, p, conn, verdict)
		return nil, nil, nil
	}
	source, app := relay.Mesh(stream, p.Framed, n.Chunked()), relay.Local(conn)
	if !flow.Attach(source, app) {
		return nil, nil, nil // revoked meanwhile
	}
	frame, err := wire.Frame(verdict)
	if err != nil {
		flow.Fail(relay.Reset, err)
		return nil, nil, nil
	}
	source.Owe(frame)
	return flow, source, app
}

func inboundInfo(i *engine.Inbound, stream string) relay.Info {
	return relay.Info{Stream: stream, Direction: "inbound", Permit: i.ID, Network: i.Network, Alias: i.Alias, Port: i.Port,
		Source: i.Source, Target: i.Target(), Peer: i.Node, Rules: i.Rules, Limits: i.Limits}
}

// refusal is a verdict that says no.
type refusal struct{ v wire.Verdict }

func (r *refusal) Error() string { return string(r.v.Code) + ": " + r.v.Message }

func no(code wire.Code, message string) *refusal {
	return &refusal{wire.Verdict{Code: code, Message: message}}
}

// refuse answers no. The client's bytes may be on their way already: closing with
// unread ones would send a reset that overtakes the verdict, so they are read off,
// within bounds.
func refuse(stream net.Conn, r *refusal) {
	stream.SetDeadline(time.Now().Add(drainDeadline))
	if wire.WriteFrame(stream, r.v) == nil {
		if w, ok := stream.(interface{ CloseWrite() error }); ok {
			w.CloseWrite()
		}
		io.CopyN(io.Discard, stream, drainBytes)
	}
	stream.Close()
}

func abort(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}
