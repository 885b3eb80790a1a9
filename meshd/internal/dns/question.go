package dns

import "encoding/binary"

// A question is what an answer depends on, taken from a query.
type question struct {
	lowered    [maxName]byte
	nameLength int
	kind       uint16
	class      uint16
	end        int // of the question section, counted from the query's start

	edns    bool
	size    uint16 // the client's UDP size, from EDNS
	version byte
	flags   byte // the first byte of EDNS flags: DO is its highest bit
}

// optSize is what the OPT record of the response takes.
func (q *question) optSize() int {
	if q.edns {
		return 11
	}
	return 0
}

// limit is the largest response that may go back over UDP.
func (q *question) limit() int {
	if !q.edns {
		return minUDP
	}
	return min(max(int(q.size), minUDP), MaxUDP)
}

// parseQuery accepts exactly one question, no records before the additional
// section, and there at most an OPT and one other (TSIG, which is ignored).
func parseQuery(query []byte) (q question, ok bool) {
	count := func(at int) uint16 { return binary.BigEndian.Uint16(query[at:]) }
	additional := count(10)
	if count(4) != 1 || count(6) != 0 || count(8) != 0 || additional > 2 {
		return q, false
	}
	length, ok := nameEnd(query[headerSize:])
	q.end = headerSize + length + 4
	if !ok || len(query) < q.end {
		return q, false
	}
	q.nameLength = copy(q.lowered[:], query[headerSize:headerSize+length])
	lower(q.lowered[:q.nameLength])
	q.kind, q.class = count(q.end-4), count(q.end-2)

	at := q.end
	for range additional {
		owner, ok := ownerEnd(query[at:])
		fixed := at + owner
		if !ok || len(query) < fixed+10 {
			return q, false
		}
		if count(fixed) == typeOPT {
			if q.edns || owner != 1 { // a second one, or not the root's
				return q, false
			}
			q.edns = true
			q.size, q.version, q.flags = count(fixed+2), query[fixed+5], query[fixed+6]
		}
		at = fixed + 10 + int(count(fixed+8))
		if len(query) < at {
			return q, false
		}
	}
	return q, true
}
