package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"gstacks/meshd/internal/engine"
	"gstacks/meshd/internal/node"
	"gstacks/meshd/internal/wire"
)

const (
	probeDeadline    = 9 * time.Second
	enterDeadline    = 2 * time.Second
	exchangeDeadline = 1500 * time.Millisecond
	// fullSize is more than two packets' worth.
	fullSize = 3000
)

type probeParams struct {
	Network string        `json:"network"`
	Sandbox string        `json:"sandbox"`
	Alias   string        `json:"alias"`
	Port    uint16        `json:"port"`
	Target  engine.Target `json:"target"`
	// Name and Address are what the sandbox's programs know the alias by; absent,
	// the way through the sandbox's own namespace is not tried.
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	// FirstByteMs is how long to wait for the app to speak first.
	FirstByteMs int `json:"firstByteMs"`
}

type probeStep struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Micros int64  `json:"micros"`
	Error  string `json:"error,omitempty"`
}

type probeResult struct {
	OK    bool        `json:"ok"`
	Steps []probeStep `json:"steps"`
	// Peer is the target's host as the mesh sees it, and Pings how it answered.
	Peer  *node.Peer  `json:"peer,omitempty"`
	Pings *node.Pings `json:"pings,omitempty"`
}

// step runs one step and notes how it went.
func (r *probeResult) step(name string, run func() error) bool {
	start := time.Now()
	err := run()
	r.add(name, time.Since(start), err)
	return err == nil
}

func (r *probeResult) add(name string, took time.Duration, err error) {
	s := probeStep{Name: name, OK: err == nil, Micros: took.Microseconds()}
	if err != nil {
		s.Error = err.Error()
	}
	r.OK = r.OK && err == nil
	r.Steps = append(r.Steps, s)
}

var errNoPermit = errors.New("no permit loaded on this host for that sandbox, alias and port")

// probe goes a stream's own way to the app and stops there. A sandbox that is not
// permitted does not end it: the way through the mesh is tried all the same, and the
// target says no.
func (d *Daemon) probe(ctx context.Context, p probeParams) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, probeDeadline)
	defer cancel()
	r := &probeResult{OK: true, Steps: []probeStep{}}
	target := p.Target
	permit, version, permitted := d.engine.FindOutbound(p.Sandbox, p.Network, p.Alias, p.Port)
	if p.Sandbox != "" {
		d.probeInside(ctx, r, p, permitted)
		if permitted {
			target = permit.Target
		}
	}
	switch target.Kind {
	case engine.ToSandbox:
		d.probeApp(ctx, r, target.Sandbox, p)
	case engine.ToNode:
		d.probeNode(ctx, r, p, target, version)
	default:
		return nil, badRequest(`target needs kind "sandbox" or "node"`)
	}
	return r, nil
}

// probeInside goes as far as a program in the sandbox can see. What is not permitted is
// not dialled: the kernel would count it as a refusal.
func (d *Daemon) probeInside(ctx context.Context, r *probeResult, p probeParams, permitted bool) {
	inside, err := d.engine.Sandbox(p.Sandbox)
	if p.Name != "" {
		r.step("resolve", func() error {
			if err != nil {
				return err
			}
			address, err := inside.Resolve(ctx, p.Name, enterDeadline)
			if err == nil && p.Address.IsValid() && address != p.Address {
				err = fmt.Errorf("it resolves to %v, not to %v", address, p.Address)
			}
			return err
		})
	}
	switch {
	case !permitted:
		r.add("permit", 0, errNoPermit)
		return
	case p.Address.IsValid():
		r.step("enter", func() error {
			if err != nil {
				return err
			}
			return inside.Enter(ctx, netip.AddrPortFrom(p.Address, p.Port), enterDeadline)
		})
	}
	r.add("permit", 0, nil)
}

func (d *Daemon) probeApp(ctx context.Context, r *probeResult, sandbox string, p probeParams) {
	start := time.Now()
	c, err := d.engine.Dial(ctx, sandbox, p.Port, appDeadline)
	r.add("connect", time.Since(start), err)
	if err != nil {
		return
	}
	defer c.Close()
	if micros := firstByte(c, p.FirstByteMs); micros != nil {
		r.add("firstByte", time.Duration(*micros)*time.Microsecond, nil)
	}
}

// probeNode asks the target's meshd for its verdict. Unlike a stream's, its preface
// waits for the connection, so that the steps follow one another.
func (d *Daemon) probeNode(ctx context.Context, r *probeResult, p probeParams, target engine.Target, version uint64) {
	preface := wire.Preface{Network: p.Network, Alias: p.Alias, Port: p.Port, Source: p.Sandbox, Version: version, Probe: true, FirstByteMs: p.FirstByteMs}
	start := time.Now()
	stream, n, err := d.probeDial(ctx, target.Address, preface)
	r.add("dial", time.Since(start), err)
	if err != nil {
		return
	}
	defer stream.Close()
	start = time.Now()
	v, err := ask(stream, n, preface)
	r.verdict(v, time.Since(start), err)
	if err != nil {
		return
	}
	start = time.Now()
	name, err := tryFullSize(func(size int) error {
		preface.Pad = strings.Repeat("-", size)
		return d.exchange(ctx, target.Address, preface)
	})
	r.add(name, time.Since(start), err)
	r.Pings = n.Ping(ctx, target.Address)
	r.Peer = n.AwaitDirect(ctx, target.Address)
}

// probeDial connects to the target's meshd and says nothing yet.
func (d *Daemon) probeDial(ctx context.Context, to netip.Addr, p wire.Preface) (net.Conn, *node.Node, error) {
	n := d.nodes.Get(p.Network)
	if n == nil {
		return nil, nil, errNoNode
	}
	c, err := n.Dial(ctx, to, nil)
	return c, n, err
}

// verdict notes the target's answer. What the target says of its own times is not
// believed beyond what was seen here: the rest is the mesh's round trip.
func (r *probeResult) verdict(v wire.Verdict, took time.Duration, err error) {
	judge := within(took, v.JudgeMicros)
	connect := within(took-judge, v.ConnectMicros)
	var first time.Duration
	if v.FirstByteMicros != nil {
		first = within(took-judge-connect, *v.FirstByteMicros)
	}
	switch {
	case err != nil:
		r.add("roundTrip", took, err)
		return
	case v.OK || v.Code == wire.Unreachable:
		r.add("roundTrip", took-judge-connect-first, nil)
		r.add("verdict", judge, nil)
	default:
		r.add("roundTrip", took-judge, nil)
		r.add("verdict", judge, &refusal{v})
		return
	}
	if v.Code == wire.Unreachable {
		r.add("connect", connect, errors.New(v.Message))
		return
	}
	r.add("connect", connect, nil)
	if v.FirstByteMicros != nil {
		r.add("firstByte", first, nil)
	}
}

func within(most time.Duration, micros int64) time.Duration {
	return max(0, min(most, time.Duration(micros)*time.Microsecond))
}

// tryFullSize sees whether packets as large as the mesh makes them come through,
// both ways: what only drops those lets a connection open and then hang. A host that
// leaves or joins its mesh at that moment swallows them too, so size is blamed only when
// a small exchange passes between two large ones that do not; else the round trip is
// what failed, though it was well before. It tells the step that this is.
func tryFullSize(exchange func(size int) error) (string, error) {
	if exchange(fullSize) == nil {
		return "fullSize", nil
	}
	if err := exchange(1); err != nil {
		return "roundTrip", err
	}
	return "fullSize", exchange(fullSize)
}

// exchange sends the target's meshd a padded preface and waits for it to come back.
func (d *Daemon) exchange(ctx context.Context, to netip.Addr, preface wire.Preface) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeDeadline)
	defer cancel()
	stream, n, err := d.probeDial(ctx, to, preface)
	if err != nil {
		return err
	}
	defer stream.Close()
	stop := context.AfterFunc(ctx, func() { abort(stream) })
	defer stop()
	if _, err = ask(stream, n, preface); err != nil && ctx.Err() != nil {
		return fmt.Errorf("no answer within %v", exchangeDeadline)
	}
	return err
}

func ask(stream net.Conn, n *node.Node, p wire.Preface) (wire.Verdict, error) {
	p.V, p.Framed = wire.Version, n.Chunked()
	if err := wire.WriteFrame(stream, p); err != nil {
		return wire.Verdict{}, err
	}
	return readVerdict(context.Background(), stream)
}
