// Loadgen is both ends of every network measurement: the program in the target
// sandbox and the client in the source sandbox, and a plain splice relay to
// compare with. It uses the standard library alone and prints one JSON object.
//
// Sockets are used with blocking system calls on threads of their own, not
// through Go's poller: on two shared cores the measuring must cost as little as
// it can, or every ratio drifts towards one.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

const usage = `usage: loadgen MODE [flags]
  serve  -addr A                                answers every mode below
  conn   -addr A -workers N -seconds S          connect, one byte each way, close
  rtt    -addr A -seconds S                     64 bytes there and back
  tput   -addr A -streams N -seconds S          bytes one way
  watch  -addr A -seconds S                     a line when A begins or ceases to answer
  hold   -addr A -streams N                     a line when N idle streams are open, and when all are broken off
  load   -addr A -rate N                        N streams a second, 32 KiB there and back
  relay  -listen A [-netns FILE] -dial B        splice relay; listens in FILE's namespace
`

// A thread in a system call keeps its scheduler slot until the runtime notices,
// up to 10 ms later; with more slots than threads nobody waits for one.
const schedulerSlots = 64

type options struct {
	addr, listen, dial, netns string
	workers, streams, rate    int
	duration                  time.Duration
}

func main() {
	runtime.GOMAXPROCS(schedulerSlots)
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	var o options
	var seconds float64
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flags.StringVar(&o.addr, "addr", "", "IPv4 address and port")
	flags.StringVar(&o.listen, "listen", "", "IPv4 address and port")
	flags.StringVar(&o.dial, "dial", "", "IPv4 address and port")
	flags.StringVar(&o.netns, "netns", "", "network namespace to listen in")
	flags.IntVar(&o.workers, "workers", 1, "connections at a time")
	flags.IntVar(&o.streams, "streams", 1, "streams at a time")
	flags.IntVar(&o.rate, "rate", 100, "streams a second")
	flags.Float64Var(&seconds, "seconds", 2, "how long")
	flags.Parse(os.Args[2:])
	o.duration = time.Duration(seconds * float64(time.Second))

	result, err := run(os.Args[1], o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
	if result != nil {
		json.NewEncoder(os.Stdout).Encode(result)
	}
}

func run(mode string, o options) (any, error) {
	switch mode {
	case "serve":
		return nil, serve(o.addr)
	case "conn":
		return connections(o)
	case "rtt":
		return roundTrips(o)
	case "tput":
		return throughput(o)
	case "watch":
		return nil, watch(o)
	case "hold":
		return nil, hold(o)
	case "load":
		return nil, load(o)
	case "relay":
		return nil, relay(o)
	}
	return nil, fmt.Errorf("unknown mode %q\n%s", mode, usage)
}
