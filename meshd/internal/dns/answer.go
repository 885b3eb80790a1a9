package dns

import "encoding/binary"

// MaxUDP is the largest response sent over UDP, whatever a client allows, and
// what EDNS answers advertise: it never needs fragments (DNS flag day 2020).
const MaxUDP = 1232

const minUDP = 512 // what a client without EDNS takes

// Header bits: byte 2, and response codes in byte 3.
const (
	bitResponse      = 0x80
	maskOpcode       = 0x78
	bitAuthoritative = 0x04
	bitTruncated     = 0x02
	bitRecursion     = 0x01 // desired; echoed

	noError     = 0
	formatError = 1
	nxDomain    = 3
	notImpl     = 4
	refused     = 5
	badVersion  = 16 // the low 4 bits go into the header, the rest into OPT
)

// hinfo answers ANY (RFC 8482): owner is the question's name, TTL 5 s as for all
// records, "RFC8482" and an empty string.
var hinfo = []byte("\xc0\x0c\x00\x0d\x00\x01\x00\x00\x00\x05\x00\x09\x07RFC8482\x00")

// Answer writes the response to query into out (growing it if it must) and
// returns it, or nil when there should be none. With room in out it allocates
// nothing. udp limits the size to what the client takes. A nil zone refuses
// every question.
func (z *Zone) Answer(query []byte, udp bool, out []byte) []byte {
	if len(query) < headerSize || query[2]&bitResponse != 0 {
		return nil
	}
	if query[2]&maskOpcode != 0 {
		return headerOnly(query, notImpl, out)
	}
	q, ok := parseQuery(query)
	if !ok {
		return headerOnly(query, formatError, out)
	}
	out = append(out[:0], query[:q.end]...)
	out[2] = bitResponse | query[2]&bitRecursion
	out[3] = noError
	clear(out[6:12]) // counts of the other sections

	code := noError
	switch {
	case q.edns && q.version != 0:
		code = badVersion
	case q.class != classIN || q.kind == typeAXFR || q.kind == typeIXFR:
		code = refused
	default:
		code, out = z.lookup(&q, out)
	}
	out[3] = byte(code & 0x0f)

	if udp && len(out)+q.optSize() > q.limit() {
		out = out[:q.end]
		out[2] |= bitTruncated
		clear(out[6:10])
	}
	if q.edns {
		out[11] = 1
		out = append(out, 0, 0, typeOPT, MaxUDP>>8, MaxUDP&0xff, byte(code>>4), 0, q.flags&0x80, 0, 0, 0)
	}
	return out
}

// lookup appends what the zone says to the question, and returns the code.
func (z *Zone) lookup(q *question, out []byte) (int, []byte) {
	if z == nil {
		return refused, out
	}
	name := q.lowered[:q.nameLength]
	soa, at := z.origin(name)
	if at < 0 {
		return refused, out
	}
	apex := at == 0 // exists by itself, with its SOA
	out[2] |= bitAuthoritative
	sets, known := z.names[string(name)]
	if q.kind == typeANY && (len(sets) > 0 || apex) {
		out[7] = 1
		return noError, append(out, hinfo...)
	}
	for i := range sets {
		if sets[i].kind == q.kind {
			binary.BigEndian.PutUint16(out[6:], sets[i].count)
			return noError, append(out, sets[i].wire...)
		}
	}
	if apex && q.kind == typeSOA {
		out[7] = 1
		return noError, append(out, soa.wire...)
	}
	out[9] = 1 // the SOA, in the authority section
	if known || apex {
		return noError, append(out, soa.wire...)
	}
	return nxDomain, append(out, soa.wire...)
}

func headerOnly(query []byte, code byte, out []byte) []byte {
	out = append(out[:0], query[:headerSize]...)
	out[2] = bitResponse | query[2]&(maskOpcode|bitRecursion)
	out[3] = code
	clear(out[4:])
	return out
}
