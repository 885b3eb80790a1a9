// Package dns answers a sandbox's questions from a zone that the agent compiled
// for it.
//
// The zone is complete: records come as ready wire format, and what it does not
// hold does not exist or is refused. Nothing is ever forwarded. Answers are pure
// functions of zone and query, so that the same golden vectors hold here and in
// the agent.
package dns

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Types and classes that answers depend on.
const (
	typeSOA   = 6
	typeHINFO = 13
	typeOPT   = 41
	typeIXFR  = 251
	typeAXFR  = 252
	typeANY   = 255
	classIN   = 1
)

// A Zone is what one sandbox may know. It is never changed once parsed. Names
// are keys in wire format, lower case: unlike text with dots, they cannot be
// mistaken when a label has a dot in it.
type Zone struct {
	origins map[string]recordSet // the SOA of each
	names   map[string][]recordSet
}

// A recordSet is the answer to one type of question.
type recordSet struct {
	kind  uint16
	count uint16
	wire  []byte
}

// ParseZone reads a zone object of the plan (docs/protocol.md), and refuses one
// whose records could make a malformed answer.
func ParseZone(raw json.RawMessage) (*Zone, error) {
	var plan struct {
		Origins map[string]struct {
			SOA []byte `json:"soa"`
		} `json:"origins"`
		Names map[string]map[string]struct {
			Count uint16 `json:"count"`
			RRs   []byte `json:"rrs"`
		} `json:"names"`
	}
	if err := json.Unmarshal(raw, &plan); err != nil {
		return nil, fmt.Errorf("zone: %w", err)
	}
	z := &Zone{origins: make(map[string]recordSet, len(plan.Origins)), names: make(map[string][]recordSet, len(plan.Names))}
	for text, origin := range plan.Origins {
		name, err := wireName(text)
		if err != nil {
			return nil, err
		}
		soa := recordSet{kind: typeSOA, count: 1, wire: origin.SOA}
		if err := checkRecords(name, soa); err != nil {
			return nil, fmt.Errorf("zone: origin %q: %w", text, err)
		}
		z.origins[name] = soa
	}
	for text, types := range plan.Names {
		name, err := wireName(text)
		if err != nil {
			return nil, err
		}
		if _, at := z.origin([]byte(name)); at < 0 {
			return nil, fmt.Errorf("zone: name %q is under no origin", text)
		}
		sets := make([]recordSet, 0, len(types))
		for number, answer := range types {
			kind, err := strconv.ParseUint(number, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("zone: name %q: %q is not the number of a record type", text, number)
			}
			set := recordSet{kind: uint16(kind), count: answer.Count, wire: answer.RRs}
			if err := checkRecords(name, set); err != nil {
				return nil, fmt.Errorf("zone: name %q: type %s: %w", text, number, err)
			}
			sets = append(sets, set)
		}
		z.names[name] = sets
	}
	return z, nil
}

// origin finds the SOA of the closest origin at or above a name, and where in
// the name it begins: 0 is the origin itself, -1 means that there is none.
func (z *Zone) origin(name []byte) (soa recordSet, at int) {
	for at = 0; at < len(name); at += 1 + int(name[at]) {
		if soa, ok := z.origins[string(name[at:])]; ok {
			return soa, at
		}
	}
	return recordSet{}, -1
}

// wireName turns "api.dev.gstacks" into its lower-case wire format.
func wireName(text string) (string, error) {
	var wire []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(text, "."), ".") {
		if label == "" || len(label) > maxLabel || strings.ContainsRune(label, '\\') {
			return "", fmt.Errorf("zone: %q is not a DNS name", text)
		}
		wire = append(append(wire, byte(len(label))), label...)
	}
	wire = append(wire, 0)
	if len(wire) > maxName {
		return "", fmt.Errorf("zone: %q is longer than a DNS name can be", text)
	}
	lower(wire)
	return string(wire), nil
}
