package dns

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The vectors say what any implementation answers, byte for byte; the agent's
// tests read them too. The cases below say what they mean, so that new bytes
// are not taken on faith: change a case, then run `go test ./internal/dns -update`.
const vectorFile = "../../../test/vectors/dns-answers.json"

var update = flag.Bool("update", false, "write the golden vectors")

type vectors struct {
	Zone    json.RawMessage `json:"zone"` // what all the answers are from
	Vectors []vector        `json:"vectors"`
}

type vector struct {
	Name        string  `json:"name"`
	QueryHex    string  `json:"queryHex"`
	UDP         bool    `json:"udp"`
	ResponseHex *string `json:"responseHex"` // null: no answer
}

func TestGoldenVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var golden vectors
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	zone, err := ParseZone(golden.Zone)
	if err != nil {
		t.Fatal(err)
	}
	if len(golden.Vectors) != len(cases) {
		t.Errorf("%d vectors for %d cases: run with -update", len(golden.Vectors), len(cases))
	}
	for i, v := range golden.Vectors {
		query, err := hex.DecodeString(v.QueryHex)
		if err != nil {
			t.Fatal(err)
		}
		got := zone.Answer(query, v.UDP, nil)
		switch {
		case got == nil && v.ResponseHex == nil:
		case got == nil || v.ResponseHex == nil || hex.EncodeToString(got) != *v.ResponseHex:
			t.Errorf("%s: got %x", v.Name, got)
		}
		if i < len(cases) && (v.Name != cases[i].name || !bytes.Equal(query, cases[i].query)) {
			t.Errorf("%s: is not the query of case %q", v.Name, cases[i].name)
		}
	}
}

func writeVectors(t *testing.T) {
	zone, err := ParseZone(exampleZone)
	if err != nil {
		t.Fatal(err)
	}
	// One vector a line: changes stay readable.
	var lines []string
	for _, c := range cases {
		v := vector{Name: c.name, QueryHex: hex.EncodeToString(c.query), UDP: !c.tcp}
		if response := zone.Answer(c.query, !c.tcp, nil); response != nil {
			text := hex.EncodeToString(response)
			v.ResponseHex = &text
		}
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	if err := os.MkdirAll("../../../test/vectors", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, fmt.Appendf(nil, "{\"zone\": %s,\n\"vectors\": [\n%s\n]}\n", exampleZone, strings.Join(lines, ",\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
