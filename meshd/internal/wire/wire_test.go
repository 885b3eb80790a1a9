package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestPrefaceRoundTripReadsNothingBeyond(t *testing.T) {
	want := Preface{V: Version, Network: "net_1", Alias: "api", Port: 8080, Source: "sbx_1", Version: 42, Framed: true, Trace: "t"}
	var b bytes.Buffer
	if err := WriteFrame(&b, want); err != nil {
		t.Fatal(err)
	}
	b.WriteString("client bytes")
	got, err := ReadPreface(iotest.OneByteReader(&b))
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	if b.String() != "client bytes" {
		t.Fatalf("left %q", b.String())
	}
}

func TestPrefaceRefuses(t *testing.T) {
	for name, frame := range map[string]string{
		"other version": "\x00\x35" + `{"v":2,"network":"n","alias":"a","port":1,"source":""}`[:53],
		"no alias":      "\x00\x1e" + `{"v":1,"network":"n","port":1}`,
		"no json":       "\x00\x02no",
		"cut short":     "\x00\x10{",
		"port too big":  "\x00\x2d" + `{"v":1,"network":"n","alias":"a","port":70000}`[:45],
	} {
		if p, err := ReadPreface(strings.NewReader(frame)); err == nil {
			t.Errorf("%s: accepted %+v", name, p)
		}
	}
}

func TestWriteFrameRefusesTooLong(t *testing.T) {
	if err := WriteFrame(io.Discard, strings.Repeat("x", maxFrame)); err == nil {
		t.Fatal("accepted a frame that its length cannot describe")
	}
}

func TestChunksCarryBytesAndEnd(t *testing.T) {
	var b bytes.Buffer
	w := NewChunkWriter(&b)
	payload := bytes.Repeat([]byte("0123456789"), 20_000)
	if err := w.Ping(); err != nil {
		t.Fatal(err)
	}
	for _, p := range [][]byte{payload, {}, payload[:1]} {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(NewChunkReader(iotest.HalfReader(&b)))
	if err != nil || !bytes.Equal(got, append(payload, payload[0])) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestChunksThatDoNotEndAreAborts(t *testing.T) {
	for name, stream := range map[string]string{
		"abort":          "\x00\x00\x00\x00\x02hi\x02\x00\x00\x00\x00",
		"no end":         "\x00\x00\x00\x00\x02hi",
		"cut in payload": "\x00\x00\x00\x00\x09hi",
		"cut in header":  "\x00\x00\x00\x00\x02hi\x00\x00",
	} {
		got, err := io.ReadAll(NewChunkReader(strings.NewReader(stream)))
		if !errors.Is(err, ErrAborted) || string(got) != "hi" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestAbortDoesNotWaitForAWriter(t *testing.T) {
	r, pipe := io.Pipe()
	w := NewChunkWriter(pipe)
	done := make(chan struct{})
	go func() { defer close(done); w.Write([]byte("stuck")) }()
	io.ReadFull(r, make([]byte, 1)) // the writer is inside its write now
	w.Abort()
	r.Close()
	<-done
}

// FuzzChunkReader: whatever arrives, the reader ends, never yields more than came
// in, and calls a stream complete only when an end chunk says so.
func FuzzChunkReader(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02hi\x01\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00"))
	f.Add([]byte("\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := io.ReadAll(NewChunkReader(bytes.NewReader(in)))
		if len(got) > len(in) {
			t.Fatalf("%d bytes out of %d", len(got), len(in))
		}
		if err == nil && !bytes.Contains(in, []byte{chunkEnd, 0, 0, 0, 0}) {
			t.Fatal("complete without an end chunk")
		}
	})
}

func FuzzPreface(f *testing.F) {
	f.Add([]byte("\x00\x2e" + `{"v":1,"network":"n","alias":"a","port":8080}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		p, err := ReadPreface(r)
		if err == nil && (p.V != Version || p.Network == "" || p.Alias == "" || p.Port == 0) {
			t.Fatalf("accepted %+v", p)
		}
	})
}
