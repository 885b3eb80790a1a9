package daemon

import (
	"testing"

	"gstacks/meshd/internal/relay"
)

// TestPlansAreTrimmedAfterMany: a few small changes are not worth a collection.
func TestPlansAreTrimmedAfterMany(t *testing.T) {
	var m memory
	m.plan(planBytes - 1)
	if m.settled != nil {
		t.Fatal("a small plan starts the timer")
	}
	m.plan(1)
	if m.settled == nil {
		t.Fatal("many plans do not start the timer")
	}
	m.settled.Stop()
	m.settle()
	if m.plans != 0 {
		t.Fatalf("%d bytes are counted twice", m.plans)
	}
}

// TestNetworkIsTrimmedOnceIdleAfterALoad, not while a flow is open, nor for little.
func TestNetworkIsTrimmedOnceIdleAfterALoad(t *testing.T) {
	var m memory
	told := func(phase string, wasOpen bool, bytes int64) {
		m.flow(relay.Event{Record: relay.Record{Info: relay.Info{Network: "n", Direction: "outbound"}, BytesToTarget: bytes}, Phase: phase, WasOpen: wasOpen})
	}
	told("opened", false, 0)
	told("opened", false, 0)
	told("closed", true, loadBytes)
	if m.networks["n"].timer != nil {
		t.Fatal("trims under an open flow")
	}
	told("closed", false, 0) // refused: never opened
	told("closed", true, 0)
	timer := m.networks["n"].timer
	if timer == nil {
		t.Fatal("does not trim after a load")
	}
	told("opened", false, 0)
	if timer.Stop() || m.networks["n"].timer != nil {
		t.Fatal("a new flow does not put the trim off")
	}
}
