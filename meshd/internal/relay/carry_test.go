package relay

import (
	"bytes"
	"io"
	"testing"
)

// TestOwedFrameComesFirst, also when the side that should answer is silent, and is
// not counted; the end that follows short bytes arrives with none of them lost.
func TestOwedFrameComesFirst(t *testing.T) {
	for _, silent := range []bool{true, false} {
		client, dst := link(t)
		src, app := link(t)
		to := raw(dst)
		to.Owe([]byte("verdict"))
		if !silent {
			app.Write([]byte("answer"))
			app.CloseWrite()
		}
		var count meter
		done := make(chan error, 1)
		go func() {
			done <- carry(to, raw(src), &count)
			to.end()
		}()
		first := make([]byte, len("verdict"))
		if _, err := io.ReadFull(client, first); err != nil || string(first) != "verdict" {
			t.Fatalf("silent %v: %q, %v", silent, first, err)
		}
		if silent {
			app.Write([]byte("answer"))
			app.CloseWrite()
		}
		rest, err := io.ReadAll(client)
		if string(rest) != "answer" || err != nil || <-done != nil || count.bytes.Load() != int64(len("answer")) {
			t.Fatalf("silent %v: %q, %v, counted %d", silent, rest, err, count.bytes.Load())
		}
	}
}

// TestExchangeThenSplice: sizes around the small buffer's pass unharmed.
func TestExchangeThenSplice(t *testing.T) {
	for _, size := range []int{0, 1, 4<<10 - 1, 4 << 10, 4<<10 + 1, 8 << 10, 3 << 20} {
		client, dst := link(t)
		src, app := link(t)
		payload := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		go func() {
			app.Write(payload)
			app.CloseWrite()
		}()
		var count meter
		to := raw(dst)
		go func() {
			if carry(to, raw(src), &count) == nil {
				to.end()
			}
		}()
		if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("size %d: %d bytes arrived, %v", size, len(got), err)
		}
	}
}
