package daemon

import (
	"context"
	"errors"
	"net"
	"time"

	"gstacks/meshd/internal/engine"
	"gstacks/meshd/internal/wire"
)

type probeParams struct {
	Network string        `json:"network"`
	Sandbox string        `json:"sandbox"`
	Alias   string        `json:"alias"`
	Port    uint16        `json:"port"`
	Target  engine.Target `json:"target"`
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
	r.Steps = append(r.Steps, s)
	r.OK = err == nil
}

var errNoPermit = errors.New("no permit loaded on this host for that sandbox, alias and port")

// probe goes a stream's own way to the app and stops there; the first step that
// fails is the last.
func (d *Daemon) probe(ctx context.Context, p probeParams) (any, error) {
	r := &probeResult{Steps: []probeStep{}}
	permit, version, permitted := d.engine.FindOutbound(p.Sandbox, p.Network, p.Alias, p.Port)
	target := p.Target
	if p.Sandbox != "" {
		if !r.step("permit", func() error {
			if !permitted {
				return errNoPermit
			}
			return nil
		}) {
			return r, nil
		}
		target = permit.Target
	}
	switch target.Kind {
	case engine.ToSandbox:
		r.step("connect", func() error { return d.touch(ctx, target.Sandbox, p.Port) })
	case engine.ToNode:
		d.probeNode(ctx, r, p, target, version)
	default:
		return nil, badRequest(`target needs kind "sandbox" or "node"`)
	}
	return r, nil
}

func (d *Daemon) touch(ctx context.Context, sandbox string, port uint16) error {
	ctx, cancel := context.WithTimeout(ctx, appDeadline)
	defer cancel()
	c, err := d.engine.Dial(ctx, sandbox, port)
	if err == nil {
		c.Close()
	}
	return err
}

// probeNode asks the target's meshd for its verdict. Unlike a stream's, its preface
// waits for the connection, so that the steps follow one another. The time of the
// verdict is without that of the connect, which the target tells.
func (d *Daemon) probeNode(ctx context.Context, r *probeResult, p probeParams, target engine.Target, version uint64) {
	var stream net.Conn
	start := time.Now()
	n, preface, err := d.introduce(wire.Preface{Network: p.Network, Alias: p.Alias, Port: p.Port, Source: p.Sandbox, Version: version, Probe: true})
	if err == nil {
		stream, err = n.Dial(ctx, target.Address, nil)
	}
	r.add("dial", time.Since(start), err)
	if err != nil {
		return
	}
	defer stream.Close()
	start = time.Now()
	v, err := ask(stream, preface)
	took := time.Since(start)
	// What the target says is not believed beyond what was seen here.
	connect := max(0, min(took, time.Duration(v.ConnectMicros)*time.Microsecond))
	switch {
	case err != nil:
		r.add("verdict", took, err)
	case v.Code == wire.Unreachable:
		r.add("verdict", took, nil)
		r.add("connect", 0, errors.New(v.Message))
	case !v.OK:
		r.add("verdict", took, &refusal{v})
	default:
		r.add("verdict", took-connect, nil)
		r.add("connect", connect, nil)
	}
}

func ask(stream net.Conn, preface []byte) (wire.Verdict, error) {
	if _, err := stream.Write(preface); err != nil {
		return wire.Verdict{}, err
	}
	return readVerdict(stream)
}
