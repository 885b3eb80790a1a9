package daemon

import (
	"net"
	"time"

	"gstacks/meshd/internal/socket"
	"gstacks/meshd/internal/wire"
)

const mostFirstByteWait = 2 * time.Second

// padded answers a probe that only asks whether full-size packets come through. It
// tells no more than that this is a meshd, which every peer knows.
func padded(stream net.Conn, p wire.Preface) {
	wire.WriteFrame(stream, wire.Verdict{OK: true, Pad: p.Pad[:min(len(p.Pad), fullSize)]})
	stream.Close()
}

// probed answers a probe whose app accepted.
func probed(stream net.Conn, p wire.Preface, app *socket.Conn, v wire.Verdict) {
	v.FirstByteMicros = firstByte(app, p.FirstByteMs)
	app.Close()
	wire.WriteFrame(stream, v)
	stream.Close()
}

// firstByte tells in microseconds how long an app takes to speak; nil when it was not
// waited for, or waits for its client, or has ended.
func firstByte(app *socket.Conn, waitMs int) *int64 {
	if waitMs <= 0 {
		return nil
	}
	start := time.Now()
	app.SetReadDeadline(start.Add(min(time.Duration(waitMs)*time.Millisecond, mostFirstByteWait)))
	if app.AwaitByte() != nil {
		return nil
	}
	micros := time.Since(start).Microseconds()
	return &micros
}
