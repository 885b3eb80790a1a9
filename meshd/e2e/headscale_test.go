//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const headscaleConfig = `
server_url: http://ADDRESS:8080
listen_addr: ADDRESS:8080
metrics_listen_addr: ""
grpc_allow_insecure: false
noise: {private_key_path: DIR/noise.key}
prefixes: {v4: 100.64.0.0/10, v6: "fd7a:115c:a1e0::/48", allocation: sequential}
derp:
  server: {enabled: true, region_id: 999, region_code: gs, region_name: gs, verify_clients: true,
    stun_listen_addr: "ADDRESS:3478", ipv4: ADDRESS, ipv6: none, private_key_path: DIR/derp.key,
    automatically_add_embedded_derp_region: true}
  urls: []
  paths: []
  auto_update_enabled: false
disable_check_updates: true
node: {expiry: 0, ephemeral: {inactivity_timeout: 2m}}
database: {type: sqlite, sqlite: {path: DIR/db.sqlite}}
policy: {mode: database}
dns: {magic_dns: false, override_local_dns: false, base_domain: gs.internal}
unix_socket: DIR/hs.sock
unix_socket_permission: "0700"
logtail: {enabled: false}
tuning: {node_store_batch_timeout: 50ms, batch_change_delay: 100ms}
taildrop: {enabled: false}
log: {level: info, format: text}
`

const meshPolicy = `{"tagOwners":{"tag:n1":[]},"grants":[{"src":["tag:n1"],"dst":["tag:n1"],"ip":["tcp:7000"]}]}`

type headscale struct {
	t      *testing.T
	config string
	key    string
}

func startHeadscale(t *testing.T, w *world) *headscale {
	t.Helper()
	dir := filepath.Join(w.dir, "hs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h := &headscale{t: t, config: filepath.Join(dir, "config.yaml")}
	text := strings.NewReplacer("ADDRESS", hubAddress, "DIR", dir).Replace(headscaleConfig)
	policy := filepath.Join(dir, "policy.json")
	for file, content := range map[string]string{h.config: text, policy: meshPolicy} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.run("policy", "set", "--force", "--bypass-grpc-and-access-database-directly", "-f", policy)
	c := w.hub.spawn(filepath.Join(w.dir, "headscale.log"), os.Getenv("GSTACKS_HEADSCALE"), "-c", h.config, "serve")
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(_ context.Context, _, to string) (net.Conn, error) { return w.hub.dial(to) }}}
	eventually(t, 15*time.Second, "Headscale is healthy", func() bool {
		r, err := client.Get("http://" + hubAddress + ":8080/health")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	h.key = h.mint()
	return h
}

// mint makes an auth key.
func (h *headscale) mint() string {
	h.t.Helper()
	var made struct{ Key string }
	out := h.run("preauthkeys", "create", "--reusable", "--expiration", "1h", "--tags", "tag:n1", "-o", "json")
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Key == "" {
		h.t.Fatalf("no key in %q: %v", out, err)
	}
	return made.Key
}

// forget deletes a node.
func (h *headscale) forget(node string) {
	h.t.Helper()
	h.run("nodes", "delete", "--force", "-i", node)
}

func (h *headscale) run(args ...string) string {
	h.t.Helper()
	c := exec.Command(os.Getenv("GSTACKS_HEADSCALE"), append([]string{"-c", h.config}, args...)...)
	var problems strings.Builder
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		h.t.Fatalf("headscale %v: %v: %s%s", args, err, out, problems.String())
	}
	return string(out)
}
