package dns

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// exampleZone is that of a sandbox in the networks dev and lab.
var exampleZone = func() json.RawMessage {
	type records struct {
		Count int    `json:"count"`
		RRs   string `json:"rrs"`
	}
	origins, names := map[string]any{}, map[string]map[string]records{}
	for _, origin := range []string{"gstacks", "127.in-addr.arpa"} {
		soa := record(origin, dnsmessage.TypeSOA, &dnsmessage.SOAResource{
			NS: dnsmessage.MustNewName("ns.gstacks."), MBox: dnsmessage.MustNewName("hostmaster.gstacks."),
			Serial: 7, Refresh: 3600, Retry: 600, Expire: 86400, MinTTL: 5})
		origins[origin] = map[string]string{"soa": base64.StdEncoding.EncodeToString(soa)}
	}
	add := func(name string, kind dnsmessage.Type, bodies ...dnsmessage.ResourceBody) {
		var rrs []byte
		for _, body := range bodies {
			rrs = append(rrs, record(name, kind, body)...)
		}
		if names[name] == nil {
			names[name] = map[string]records{}
		}
		names[name][fmt.Sprint(uint16(kind))] = records{len(bodies), base64.StdEncoding.EncodeToString(rrs)}
	}
	a := func(last byte) dnsmessage.ResourceBody { return &dnsmessage.AResource{A: [4]byte{127, 64, 1, last}} }
	add("api.dev.gstacks", dnsmessage.TypeA, a(2))
	add("worker.dev.gstacks", dnsmessage.TypeA, a(3), a(4))
	add("worker.dev.gstacks", dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: []string{"two"}})
	var text []string
	for range 4 {
		text = append(text, strings.Repeat("x", 200))
	}
	add("large.lab.gstacks", dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: text})
	add("huge.lab.gstacks", dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: slices.Concat(text, text)})
	add("2.1.64.127.in-addr.arpa", dnsmessage.TypePTR, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("api.dev.gstacks.")})
	for _, empty := range []string{"dev.gstacks", "lab.gstacks", "64.127.in-addr.arpa", "1.64.127.in-addr.arpa"} {
		names[empty] = map[string]records{}
	}
	zone, err := json.Marshal(map[string]any{"id": "zone_1", "origins": origins, "names": names})
	if err != nil {
		panic(err)
	}
	return zone
}()

func record(name string, kind dnsmessage.Type, body dnsmessage.ResourceBody) []byte {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{})
	header := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Type: kind, Class: dnsmessage.ClassINET, TTL: 5}
	must(b.StartAnswers())
	switch body := body.(type) {
	case *dnsmessage.AResource:
		must(b.AResource(header, *body))
	case *dnsmessage.TXTResource:
		must(b.TXTResource(header, *body))
	case *dnsmessage.PTRResource:
		must(b.PTRResource(header, *body))
	case *dnsmessage.SOAResource:
		must(b.SOAResource(header, *body))
	default:
		panic(fmt.Sprintf("%T", body))
	}
	message, err := b.Finish()
	must(err)
	return message[headerSize:]
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Queries are put together from raw parts, as half of them are wrong.

const queryID = "\x5a\x0f"

// header makes one with the recursion-desired flag; counts are of the four
// sections.
func header(counts ...byte) string {
	h := queryID + "\x01\x00"
	for _, n := range append(counts, make([]byte, 4-len(counts))...) {
		h += "\x00" + string(n)
	}
	return h
}

func wire(labels ...string) string {
	name := ""
	for _, l := range labels {
		name += string(rune(len(l))) + l
	}
	return name + "\x00"
}

func asks(name string, kind uint16) string {
	return wire(strings.Split(name, ".")...) + tail(kind, classIN)
}

func tail(kind, class uint16) string {
	return string([]byte{byte(kind >> 8), byte(kind), byte(class >> 8), byte(class)})
}

func opt(size uint16, version, flags byte, options string) string {
	return string([]byte{0, 0, typeOPT, byte(size >> 8), byte(size), 0, version, flags, 0, 0, byte(len(options))}) + options
}

// with changes byte i.
func with(query string, i int, value byte) string {
	return query[:i] + string([]byte{value}) + query[i+1:]
}

const (
	typeA, typePTR, typeTXT, typeAAAA = 1, 12, 16, 28
	classCH                           = 3
)

// A case says what the answer to a query means. Sections are counted without
// OPT; rcode -1 means that there is no answer.
type answerCase struct {
	name       string
	query      []byte
	tcp        bool
	rcode      int
	answers    int
	authority  int
	aa, tc, op bool // op: an OPT record comes back
	bare       bool // header only, without the question
	says       string
}

var cases = func() []answerCase {
	one, edns := header(1), header(1, 0, 0, 1)
	apiA := asks("api.dev.gstacks", typeA)
	deny := answerCase{rcode: refused}
	malformed := answerCase{rcode: formatError, bare: true}
	nothing := answerCase{rcode: -1}
	found := answerCase{rcode: noError, aa: true, answers: 1}
	noData := answerCase{rcode: noError, aa: true, authority: 1}
	missing := answerCase{rcode: nxDomain, aa: true, authority: 1}
	cut := answerCase{rcode: noError, aa: true, tc: true}
	address := found
	address.says = "\x7f\x40\x01\x02"
	hinfo := found
	hinfo.says = "RFC8482"
	soa := found
	soa.says = "hostmaster"
	two := answerCase{rcode: noError, aa: true, answers: 2}
	opted := func(c answerCase) answerCase { c.op = true; return c }
	long := strings.Repeat("x", 63)
	fits := wire(long, long, long, strings.Repeat("y", 53), "gstacks")    // 255 bytes
	tooLong := wire(long, long, long, strings.Repeat("y", 54), "gstacks") // 256

	var all []answerCase
	add := func(name, query string, c answerCase) {
		c.name, c.query = name, []byte(query)
		all = append(all, c)
	}
	add("an alias", one+apiA, address)
	add("an alias, over TCP", one+apiA, func() answerCase { c := address; c.tcp = true; return c }())
	add("without recursion desired", with(one, 2, 0)+apiA, address)
	add("letter case is echoed", one+asks("aPi.DEV.gsTacks", typeA), func() answerCase { c := address; c.says = "\x03aPi\x03DEV\x07gsTacks\x00"; return c }())
	add("two addresses", one+asks("worker.dev.gstacks", typeA), two)
	add("another type of the name", one+asks("worker.dev.gstacks", typeTXT), found)
	add("a type that the name has not", one+asks("api.dev.gstacks", typeAAAA), noData)
	add("a name that only has names below it", one+asks("dev.gstacks", typeA), noData)
	add("an unknown alias", one+asks("nothing.dev.gstacks", typeA), missing)
	add("a network the sandbox is not in", one+asks("api.other.gstacks", typeA), missing)
	add("a name below an alias", one+asks("x.api.dev.gstacks", typeA), missing)
	add("the origin's SOA", one+asks("gstacks", typeSOA), soa)
	add("another type of the origin", one+asks("gstacks", typeA), noData)
	add("a PTR", one+asks("2.1.64.127.in-addr.arpa", typePTR), found)
	add("a PTR of nobody's address", one+asks("3.1.64.127.in-addr.arpa", typePTR), missing)
	add("a name under no origin", one+asks("example.com", typeA), deny)
	add("the root", one+wire()+tail(2, classIN), deny)
	add("a name that only ends in the same letters", one+asks("api.devgstacks", typeA), deny)
	add("a label with a dot", one+wire("api.dev", "gstacks")+tail(typeA, classIN), missing)
	add("a label with a dot at an origin", one+wire("in-addr.arpa")+tail(typeA, classIN), deny)
	add("a label beyond ASCII", one+wire("\u00c9pi", "dev", "gstacks")+tail(typeA, classIN), missing)
	add("the longest name", one+fits+tail(typeA, classIN), missing)
	add("ANY of an alias", one+asks("api.dev.gstacks", typeANY), hinfo)
	add("ANY of the origin", one+asks("gstacks", typeANY), hinfo)
	add("ANY of a name without records", one+asks("dev.gstacks", typeANY), noData)
	add("ANY of an unknown name", one+asks("nothing.gstacks", typeANY), missing)
	add("class CH", one+wire("version", "bind")+tail(typeTXT, classCH), deny)
	add("class ANY", one+wire("api", "dev", "gstacks")+tail(typeA, 255), deny)
	add("a zone transfer", one+asks("gstacks", typeAXFR), deny)
	add("an incremental transfer", one+asks("gstacks", typeIXFR), deny)

	add("EDNS", edns+apiA+opt(1232, 0, 0, ""), opted(address))
	add("EDNS with DNSSEC OK", edns+apiA+opt(4096, 0, 0x80, ""), opted(address))
	add("EDNS with a cookie", edns+apiA+opt(1232, 0, 0, "\x00\x0a\x00\x08\x01\x02\x03\x04\x05\x06\x07\x08"), opted(address))
	add("EDNS of an unknown name", edns+asks("no.gstacks", typeA)+opt(1232, 0, 0, ""), opted(missing))
	add("EDNS and TSIG", header(1, 0, 0, 2)+apiA+opt(1232, 0, 0, "")+wire("key")+tail(250, 255)+"\x00\x00\x00\x00\x00\x01x", opted(address))
	add("EDNS version 1", edns+apiA+opt(1232, 1, 0, ""), opted(answerCase{rcode: badVersion}))
	add("two OPTs", header(1, 0, 0, 2)+apiA+opt(1232, 0, 0, "")+opt(1232, 0, 0, ""), malformed)
	add("an OPT of a name", edns+apiA+wire("x")+opt(1232, 0, 0, "")[1:], malformed)
	add("an OPT of a pointer", edns+apiA+"\xc0\x0c"+opt(1232, 0, 0, "")[1:], malformed)
	add("an OPT that is cut", edns+apiA+opt(1232, 0, 0, "abcd")[:13], malformed)
	add("an additional record that is missing", edns+apiA, malformed)
	add("an additional owner without end", edns+apiA+"\x3fabc", malformed)
	add("three additional records", header(1, 0, 0, 3)+apiA+strings.Repeat(wire("x")+tail(typeA, classIN)+"\x00\x00\x00\x00\x00\x00", 3), malformed)

	add("an answer over 512 bytes", one+asks("large.lab.gstacks", typeTXT), cut)
	add("an answer over 512 bytes, over TCP", one+asks("large.lab.gstacks", typeTXT), func() answerCase { c := found; c.tcp = true; return c }())
	add("an answer over 512 bytes, EDNS 1232", edns+asks("large.lab.gstacks", typeTXT)+opt(1232, 0, 0, ""), opted(found))
	add("an answer over 512 bytes, EDNS 100", edns+asks("large.lab.gstacks", typeTXT)+opt(100, 0, 0, ""), opted(cut))
	add("an answer over 1232 bytes, EDNS 4096", edns+asks("huge.lab.gstacks", typeTXT)+opt(4096, 0, 0, ""), opted(cut))
	add("an answer over 1232 bytes, over TCP", one+asks("huge.lab.gstacks", typeTXT), func() answerCase { c := found; c.tcp = true; return c }())

	add("a response", with(one, 2, 0x81)+apiA, nothing)
	add("nothing", "", nothing)
	add("less than a header", one[:11], nothing)
	add("opcode STATUS", with(one, 2, 0x11)+apiA, answerCase{rcode: notImpl, bare: true})
	add("opcode UPDATE", with(one, 2, 0x28)+apiA, answerCase{rcode: notImpl, bare: true})
	add("an opcode, header only", with(header(0), 2, 0x20), answerCase{rcode: notImpl, bare: true})
	add("no question", header(0), malformed)
	add("two questions", header(2)+apiA+apiA, malformed)
	add("256 questions", with(header(1), 4, 1)+apiA, malformed)
	add("an answer in a query", header(1, 1)+apiA, malformed)
	add("an authority record in a query", header(1, 0, 1)+apiA, malformed)
	add("a question that is missing", one, malformed)
	add("a question that is cut in its name", one+apiA[:9], malformed)
	add("a question that is cut at its end", one+apiA[:len(apiA)-1], malformed)
	add("a question with a pointer", one+"\xc0\x0c"+tail(typeA, classIN), malformed)
	add("a label of 64 bytes", one+"\x40"+strings.Repeat("x", 64)+"\x00"+tail(typeA, classIN), malformed)
	add("a name of 256 bytes", one+tooLong+tail(typeA, classIN), malformed)
	add("bytes after the end", one+apiA+"\x00\x00", address)
	return all
}()

// The meaning of each answer, read with another implementation of DNS.
func TestAnswersMeanWhatTheCasesSay(t *testing.T) {
	zone, err := ParseZone(exampleZone)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			response := zone.Answer(c.query, !c.tcp, nil)
			if response == nil || c.rcode < 0 {
				if response != nil || c.rcode >= 0 {
					t.Fatalf("answer %x", response)
				}
				return
			}
			check(t, c, response)
		})
	}
}

func check(t *testing.T, c answerCase, response []byte) {
	var m dnsmessage.Message
	readable := bytes.Clone(response) // that implementation takes no dot in a label
	for i := headerSize; i < len(readable) && readable[i] != 0; i++ {
		if readable[i] == '.' {
			readable[i] = '-'
		}
	}
	if err := m.Unpack(readable); err != nil {
		t.Fatalf("%v: %x", err, response)
	}
	var sawOPT bool
	rcode := int(m.RCode)
	for _, r := range m.Additionals {
		if r.Header.Type == dnsmessage.TypeOPT {
			sawOPT = true
			rcode |= int(r.Header.TTL>>24) << 4
			if r.Header.Class != MaxUDP || len(m.Additionals) != 1 {
				t.Errorf("OPT: %+v", r)
			}
		}
	}
	if string(response[:2]) != queryID || !m.Response || m.RecursionAvailable || m.RecursionDesired != (c.query[2]&1 != 0) {
		t.Errorf("header %+v", m.Header)
	}
	if rcode != c.rcode || m.Authoritative != c.aa || m.Truncated != c.tc || sawOPT != c.op {
		t.Errorf("rcode %d, authoritative %t, truncated %t, OPT %t", rcode, m.Authoritative, m.Truncated, sawOPT)
	}
	if len(m.Answers) != c.answers || len(m.Authorities) != c.authority || !strings.Contains(string(response), c.says) {
		t.Errorf("%+v", m)
	}
	if c.bare {
		if len(response) != headerSize {
			t.Errorf("more than a header: %x", response)
		}
		return
	}
	end, _ := nameEnd(c.query[headerSize:])
	if question := c.query[headerSize : headerSize+end+4]; string(response[headerSize:headerSize+len(question)]) != string(question) {
		t.Error("the question is not echoed byte for byte")
	}
}
