// Package wire is the mesh stream's format between two meshds: one preface, one
// verdict, then the bytes, raw or in chunks. It promises never to read past what
// it decodes, so that a raw stream can be handed to splice afterwards, and never
// to allocate more than a frame's two-byte length allows.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// maxFrame is what the two-byte length can say.
const maxFrame = 1<<16 - 1

// Frame encodes v as one frame.
func Frame(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(body) > maxFrame {
		return nil, fmt.Errorf("frame of %d bytes exceeds %d", len(body), maxFrame)
	}
	frame := make([]byte, 2, 2+len(body))
	binary.BigEndian.PutUint16(frame, uint16(len(body)))
	return append(frame, body...), nil
}

// WriteFrame sends v as one frame in a single write.
func WriteFrame(w io.Writer, v any) error {
	frame, err := Frame(v)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}

// readFrame fills v from one frame and reads not a byte more.
func readFrame(r io.Reader, v any) error {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}
