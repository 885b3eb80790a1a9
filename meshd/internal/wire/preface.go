package wire

import (
	"fmt"
	"io"
)

// Version is the mesh stream's protocol version.
const Version = 1

// Preface is what a source says before the client's bytes. It names an alias and
// a port, never a host: where that leads is the target's own knowledge.
type Preface struct {
	V       int    `json:"v"`
	Network string `json:"network"`
	Alias   string `json:"alias"`
	Port    uint16 `json:"port"`
	Source  string `json:"source"`
	// Version is the topology version the source decided under.
	Version uint64 `json:"version"`
	// Framed says that source-to-target bytes come in chunks.
	Framed bool `json:"framed"`
	// Probe asks for the verdict only; no byte follows.
	Probe bool `json:"probe,omitempty"`
	// FirstByteMs is how long a probe waits for the app to speak first.
	FirstByteMs int `json:"firstByteMs,omitempty"`
	// Pad makes a probe as long as full-size packets are; it asks for nothing but
	// the same in return.
	Pad string `json:"pad,omitempty"`
	// Trace is the source's id of the stream.
	Trace string `json:"trace,omitempty"`
}

// longestTrace bounds what a peer can make this host remember and pass on.
const longestTrace = 64

// Code says why a target refused.
type Code string

const (
	Denied      Code = "denied"      // no permit for this caller, alias and port
	Behind      Code = "behind"      // the target has not applied the source's topology version yet
	Unreachable Code = "unreachable" // permitted, but the app in the sandbox does not answer
	BadPreface  Code = "bad_preface"
	Limit       Code = "limit" // the target has no descriptors left for another flow
)

// Verdict is the target's answer, ahead of the app's bytes.
type Verdict struct {
	OK bool `json:"ok"`
	// Framed says that target-to-source bytes come in chunks.
	Framed  bool   `json:"framed"`
	Code    Code   `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// ConnectMicros is how long the connect to the app took.
	ConnectMicros int64 `json:"connectMicros,omitempty"`
	// JudgeMicros is how long the target took to say yes or no, to a probe.
	JudgeMicros int64 `json:"judgeMicros,omitempty"`
	// FirstByteMicros is how long the app took to speak, when a probe waited for it.
	FirstByteMicros *int64 `json:"firstByteMicros,omitempty"`
	Pad             string `json:"pad,omitempty"`
}

// ReadPreface decodes and checks a preface.
func ReadPreface(r io.Reader) (Preface, error) {
	var p Preface
	if err := readFrame(r, &p); err != nil {
		return Preface{}, err
	}
	switch {
	case p.V != Version:
		return Preface{}, fmt.Errorf("preface version %d, this meshd speaks %d", p.V, Version)
	case p.Network == "" || p.Alias == "" || p.Port == 0:
		return Preface{}, fmt.Errorf("preface without network, alias or port")
	case len(p.Trace) > longestTrace:
		return Preface{}, fmt.Errorf("preface with a trace of %d bytes, %d at most", len(p.Trace), longestTrace)
	}
	return p, nil
}

// ReadVerdict decodes a verdict.
func ReadVerdict(r io.Reader) (Verdict, error) {
	var v Verdict
	err := readFrame(r, &v)
	return v, err
}
