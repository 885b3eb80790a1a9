package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	headerSize = 12
	maxName    = 255
	maxLabel   = 63
)

// lower folds the ASCII capitals of a name in wire format. Lengths are below
// 'A', so there is no need to tell them from letters.
func lower(name []byte) {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
}

// nameEnd returns where the uncompressed name at the start of b ends.
func nameEnd(b []byte) (end int, ok bool) {
	for end < len(b) && end < maxName {
		length := int(b[end])
		if length > maxLabel {
			return 0, false
		}
		end++
		if length == 0 {
			return end, true
		}
		end += length
	}
	return 0, false
}

// ownerEnd is nameEnd for a name that may close with a compression pointer.
func ownerEnd(b []byte) (end int, ok bool) {
	for end < len(b) && end < maxName {
		length := int(b[end])
		switch {
		case length >= 0xc0:
			return end + 2, end+2 <= len(b)
		case length > maxLabel:
			return 0, false
		case length == 0:
			return end + 1, true
		}
		end += 1 + length
	}
	return 0, false
}

// checkRecords makes sure that a record set of the zone is what it says, so that
// it can be copied into answers unread.
func checkRecords(owner string, set recordSet) error {
	rest := set.wire
	for range set.count {
		end, ok := nameEnd(rest)
		if !ok || len(rest) < end+10 {
			return errors.New("a record is cut short or has a compressed owner")
		}
		name := make([]byte, end)
		copy(name, rest)
		lower(name)
		kind, class := binary.BigEndian.Uint16(rest[end:]), binary.BigEndian.Uint16(rest[end+2:])
		if string(name) != owner || kind != set.kind || class != classIN {
			return errors.New("a record is of another name, type or class")
		}
		end += 10 + int(binary.BigEndian.Uint16(rest[end+8:]))
		if len(rest) < end {
			return errors.New("a record is cut short")
		}
		rest = rest[end:]
	}
	if set.count == 0 || len(rest) != 0 {
		return fmt.Errorf("it holds %d bytes beside its %d records", len(rest), set.count)
	}
	return nil
}
