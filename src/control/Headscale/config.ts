/** The configuration of a managed Headscale: SQLite beside it, an embedded DERP relay, nothing contacted outside. JSON is YAML. */
import { createHash } from "node:crypto"
import { isIP } from "node:net"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import type { Listen } from "../Config.ts"

export interface HeadscalePaths {
  readonly directory: string
  readonly config: string
  readonly policy: string
  readonly apiKey: string
  readonly log: string
  readonly socket: string
}

/** Unix socket paths are short by law; a deep state directory gets its socket elsewhere. */
const socketFor = (directory: string): string => {
  const near = join(directory, "hs.sock")
  if (Buffer.byteLength(near) < 100) return near
  return join(tmpdir(), `gstacks-${userInfo().uid}-${createHash("sha256").update(directory).digest("hex").slice(0, 12)}`, "hs.sock")
}

export const pathsIn = (directory: string): HeadscalePaths => ({
  directory, socket: socketFor(directory),
  config: join(directory, "config.yaml"), policy: join(directory, "deny-all.json"), apiKey: join(directory, "api.key"),
  log: join(directory, "headscale.log")
})

const address = ({ host, port }: Listen): string => `${isIP(host) === 6 ? `[${host}]` : host}:${port}`

/** STUN answers on the UDP port of the same number. */
export const configFor = (paths: HeadscalePaths, listen: Listen, controlUrl: string): string => JSON.stringify({
  server_url: controlUrl,
  listen_addr: address(listen),
  metrics_listen_addr: "", grpc_listen_addr: "", grpc_allow_insecure: false,
  noise: { private_key_path: join(paths.directory, "noise.key") },
  prefixes: { v4: "100.64.0.0/10", v6: "fd7a:115c:a1e0::/48", allocation: "sequential" },
  derp: {
    server: {
      enabled: true, region_id: 999, region_code: "gs", region_name: "gstacks", verify_clients: true,
      stun_listen_addr: address(listen), private_key_path: join(paths.directory, "derp.key"), automatically_add_embedded_derp_region: true,
      ipv4: isIP(listen.host) === 4 ? listen.host : "none", ipv6: isIP(listen.host) === 6 ? listen.host : "none"
    },
    urls: [], paths: [], auto_update_enabled: false
  },
  disable_check_updates: true,
  node: { expiry: 0, ephemeral: { inactivity_timeout: "2m" } }, // less than 65 s would drop nodes that are only reconnecting
  database: { type: "sqlite", sqlite: { path: join(paths.directory, "db.sqlite") } },
  policy: { mode: "database" },
  dns: { magic_dns: false, override_local_dns: false, base_domain: "gs.internal" },
  unix_socket: paths.socket, unix_socket_permission: "0700",
  logtail: { enabled: false }, taildrop: { enabled: false },
  // Three such waits stand in each join and each return of a node; the defaults (500 and 800 ms) make them more than a second.
  tuning: { node_store_batch_timeout: "50ms", batch_change_delay: "100ms" },
  log: { level: "warn", format: "json" }
}, null, 2)
