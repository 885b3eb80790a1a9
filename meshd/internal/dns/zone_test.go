package dns

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseZoneRefusesWhatCannotBeAnswered(t *testing.T) {
	good := string(exampleZone)
	for name, text := range map[string]string{
		"no JSON":               `{`,
		"no base64":             `{"origins": {"gstacks": {"soa": "!"}}}`,
		"an SOA that is cut":    `{"origins": {"gstacks": {"soa": "B2dzdGFja3MA"}}}`,
		"an SOA of another":     strings.Replace(good, `"gstacks":{"soa"`, `"other":{"soa"`, 1),
		"a name under nothing":  strings.Replace(good, `"dev.gstacks":{}`, `"dev.example":{}`, 1),
		"an empty label":        strings.Replace(good, `"dev.gstacks":{}`, `"dev..gstacks":{}`, 1),
		"an escape":             strings.Replace(good, `"dev.gstacks":{}`, `"d\\\\046ev.gstacks":{}`, 1),
		"a long label":          strings.Replace(good, `"dev.gstacks":{}`, `"`+strings.Repeat("x", 64)+`.gstacks":{}`, 1),
		"a long name":           strings.Replace(good, `"dev.gstacks":{}`, `"`+strings.Repeat("x.", 130)+`gstacks":{}`, 1),
		"no number of a type":   strings.Replace(good, `"12":{`, `"PTR":{`, 1),
		"another type":          strings.Replace(good, `"12":{`, `"1":{`, 1),
		"too few records":       strings.Replace(good, `"count":2`, `"count":1`, 1),
		"too many records":      strings.Replace(good, `"count":2`, `"count":3`, 1),
		"a count over 16 bits":  strings.Replace(good, `"count":2`, `"count":70000`, 1),
		"no record but a count": strings.Replace(good, `"dev.gstacks":{}`, `"dev.gstacks":{"1":{"count":0,"rrs":""}}`, 1),
	} {
		if text == good {
			t.Fatalf("%s: the example has changed", name)
		}
		if _, err := ParseZone(json.RawMessage(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNoZoneRefusesEverything(t *testing.T) {
	var none *Zone
	query := []byte(header(1) + asks("api.dev.gstacks", typeA))
	if response := none.Answer(query, true, nil); response == nil || response[3] != refused {
		t.Errorf("answer %x", response)
	}
}

func TestNamesInTheZoneAreFoundInAnyCase(t *testing.T) {
	zone, err := ParseZone(json.RawMessage(strings.Replace(string(exampleZone), `"api.dev.gstacks":`, `"API.dev.gstacks.":`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if response := zone.Answer([]byte(header(1)+asks("api.dev.gstacks", typeA)), true, nil); response[7] != 1 {
		t.Errorf("answer %x", response)
	}
}

func TestAnswersAllocateNothing(t *testing.T) {
	zone, err := ParseZone(exampleZone)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, MaxUDP)
	for _, c := range cases {
		if len(c.query) > maxUDPQuery || c.tcp || strings.HasPrefix(c.name, "an answer over 1232") {
			continue
		}
		if n := testing.AllocsPerRun(10, func() { zone.Answer(c.query, true, out) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	zone, err := ParseZone(exampleZone)
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(c.query, !c.tcp)
	}
	f.Fuzz(func(t *testing.T, query []byte, udp bool) {
		sent := string(query)
		response := zone.Answer(query, udp, nil)
		if string(query) != sent {
			t.Fatal("the query was changed")
		}
		if response == nil {
			if len(query) >= headerSize && query[2]&0x80 == 0 {
				t.Fatal("a query got no answer")
			}
			return
		}
		if len(response) < headerSize || response[2]&0x80 == 0 || string(response[:2]) != sent[:2] || (udp && len(response) > MaxUDP) {
			t.Fatalf("answer %x", response)
		}
		if again := zone.Answer(query, udp, make([]byte, 0, 7)); string(again) != string(response) {
			t.Fatal("another answer the second time")
		}
		if code := response[3] & 0x0f; code == formatError || code == notImpl {
			return
		}
		end, ok := nameEnd(query[headerSize:])
		if !ok || string(response[headerSize:headerSize+end+4]) != sent[headerSize:headerSize+end+4] {
			t.Fatalf("the question is not echoed: %x", response)
		}
	})
}

func FuzzParseZone(f *testing.F) {
	f.Add([]byte(exampleZone))
	query := []byte(header(1) + asks("api.dev.gstacks", typeANY))
	f.Fuzz(func(t *testing.T, text []byte) {
		if zone, err := ParseZone(text); err == nil {
			zone.Answer(query, true, nil)
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	zone, err := ParseZone(exampleZone)
	if err != nil {
		b.Fatal(err)
	}
	query, out := []byte(header(1)+asks("api.dev.gstacks", typeA)), make([]byte, MaxUDP)
	for b.Loop() {
		zone.Answer(query, true, out)
	}
}
