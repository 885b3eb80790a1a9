package engine

import (
	"errors"
	"net/netip"
	"testing"

	"gstacks/meshd/internal/sandbox"
)

func TestRefusedOfEverySandboxThatCanBeAsked(t *testing.T) {
	r := newRig(t)
	r.must(nil, object{"zones": []object{zoneObject("z")}, "sandboxes": []object{boxObject("a"), boxObject("b")}})
	at := netip.MustParseAddrPort("127.64.1.1:80")
	r.boxes["a"].refused = []sandbox.Refused{{At: at, Count: 3}}
	r.boxes["b"].fail = errors.New("no table")
	all, errs := r.Refused()
	if len(all) != 1 || all[0].Sandbox != "a" || all[0].Refused[0] != (sandbox.Refused{At: at, Count: 3}) || len(errs) != 1 {
		t.Fatal(all, errs)
	}
	if all, _ := r.Refused(); len(all) != 0 {
		t.Fatal("told twice:", all)
	}
}
