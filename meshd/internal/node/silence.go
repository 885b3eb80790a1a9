package node

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"

	"tailscale.com/envknob"
	"tailscale.com/net/netns"
)

// Silence keeps tailscale's library quiet towards everything but the control
// server it is told of: no log uploads, no port mapping, no default control, no
// proxies. What the ts_omit build tags remove (PeerAPI, cloud metadata probes and
// more, see build-tags.txt) is not repeated here. Call it before the first node:
// the settings are the process's.
//
// One more way out exists: a control or DERP host name that fails to resolve makes
// the library ask public servers that are compiled in. Control URLs with an IP
// literal never resolve anything; use those.
func Silence() {
	for _, knob := range []string{"TS_NO_LOGS_NO_SUPPORT", "TS_DISABLE_PORTMAPPER", "TS_PANIC_IF_HIT_MAIN_CONTROL"} {
		envknob.Setenv(knob, "1")
	}
	for _, v := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"} {
		os.Unsetenv(v)
	}
	// No policy routing marks: meshd installs no routes that it would have to avoid.
	netns.SetEnabled(false)
}

var scheme struct {
	sync.Mutex
	of string
}

// useControl checks the control URL and sets how DERP is spoken, which is a setting
// of the process: over plain http when the control server is reached that way.
func useControl(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("control URL %q: need http:// or https:// with a host", raw)
	}
	scheme.Lock()
	defer scheme.Unlock()
	if scheme.of != "" && scheme.of != u.Scheme {
		return fmt.Errorf("control URL %q: this meshd already uses %s, and DERP's scheme is one per process", raw, scheme.of)
	}
	if scheme.of == "" && u.Scheme == "http" {
		envknob.Setenv("TS_DEBUG_USE_DERP_HTTP", "1")
	}
	scheme.of = u.Scheme
	return nil
}

// quiet passes the library's talk on at debug level only.
func quiet(log *slog.Logger) func(string, ...any) {
	return func(format string, args ...any) {
		log.Debug("tailscale", "text", fmt.Sprintf(format, args...))
	}
}
