// meshd carries what the agent permits: mesh nodes, the sockets inside sandboxes,
// and the bytes between. It decides nothing.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"gstacks/meshd/internal/api"
	"gstacks/meshd/internal/daemon"
	"gstacks/meshd/internal/node"
)

const version = "0.1.0"

// memoryBackstop makes the collector work harder before WireGuard's buffers grow
// without end; below 256 MiB it costs throughput.
const memoryBackstop = 320 << 20

func main() {
	socket := flag.String("socket", "/run/gstacks/meshd.sock", "control socket; its directory is made with mode 0700")
	state := flag.String("state", "/var/lib/gstacks/meshd", "state directory")
	lifeline := flag.Bool("lifeline", false, "end when standard input ends, however its other end dies, and leave no state")
	level := slog.LevelInfo
	flag.TextVar(&level, "log-level", level, "debug, info, warn or error")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "meshd takes no arguments, only flags: %q\n", flag.Args())
		flag.Usage()
		os.Exit(2)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	slog.SetLogLoggerLevel(slog.LevelDebug) // what libraries print through package log
	if err := run(*socket, *state, *lifeline, log); err != nil {
		log.Error("cannot run", "error", err)
		os.Exit(1)
	}
}

// run serves until SIGTERM or SIGINT, or with lifeline until standard input ends; then
// nobody is left who would remove the keys that it has.
func run(socket, state string, lifeline bool, log *slog.Logger) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if lifeline {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			stop <- syscall.SIGHUP
		}()
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryBackstop)
	}
	node.Silence()
	if lifeline {
		defer os.RemoveAll(state)
	}
	d, err := daemon.New(version, state, log)
	if err != nil {
		return err
	}
	defer d.Close()
	listener, err := api.Listen(socket)
	if err != nil {
		return err
	}
	defer listener.Close()
	go api.New(d.Handle, d.Events(), log).Serve(listener)
	log.Info("listening", "socket", socket)
	log.Info("stopping", "signal", (<-stop).String())
	return nil
}
