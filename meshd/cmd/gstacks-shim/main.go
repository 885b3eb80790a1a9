// Command gstacks-shim is the parent of one sandbox; see docs/protocol.md,
// "Sandbox shim".
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"gstacks/meshd/internal/shim"
)

// Linux sends a sandbox its parent's death signal when the *thread* that
// started it ends. The main thread ends last.
func init() { runtime.LockOSThread() }

func main() {
	dir := flag.String("dir", "", "existing directory of this sandbox's files")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: gstacks-shim -dir DIR -- COMMAND [ARGUMENT ...]") }
	flag.Parse()
	if *dir == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := shim.Run(*dir, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "gstacks-shim:", err)
		os.Exit(1)
	}
}
