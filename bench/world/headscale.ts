/** A real Headscale in the hub, with a tag and a grant per network as the control plane would set them, and keys to join with. */
import { mkdirSync, writeFileSync } from "node:fs"
import { hub, inside, run } from "./namespaces.ts"
import { options } from "./options.ts"
import { folder, start, until, type Running } from "./processes.ts"

export interface Headscale extends Running {
  readonly url: string
  readonly authKey: (network: string) => string
}

const url = `http://${hub.address}:8080`

const config = (home: string): string => `server_url: ${url}
listen_addr: ${hub.address}:8080
metrics_listen_addr: ""
grpc_allow_insecure: false
noise: {private_key_path: ${home}/noise.key}
prefixes: {v4: 100.64.0.0/10, v6: "fd7a:115c:a1e0::/48", allocation: sequential}
derp:
  server: {enabled: true, region_id: 999, region_code: gb, region_name: gb, verify_clients: true,
    stun_listen_addr: "${hub.address}:3478", ipv4: ${hub.address}, ipv6: none, private_key_path: ${home}/derp.key,
    automatically_add_embedded_derp_region: true}
  urls: []
  paths: []
  auto_update_enabled: false
disable_check_updates: true
node: {expiry: 0, ephemeral: {inactivity_timeout: 2m}}
database: {type: sqlite, sqlite: {path: ${home}/db.sqlite}}
policy: {mode: database}
dns: {magic_dns: false, override_local_dns: false, base_domain: gb.internal}
unix_socket: ${home}/hs.sock
unix_socket_permission: "0700"
logtail: {enabled: false}
taildrop: {enabled: false}
tuning: {node_store_batch_timeout: 50ms, batch_change_delay: 100ms}
log: {level: warn, format: text}
`

const tag = (network: string): string => `tag:${network.replaceAll("_", "-")}`

export const startHeadscale = async (name: string, networks: ReadonlyArray<string>): Promise<Headscale> => {
  const home = `${folder}/headscale-${name}`
  mkdirSync(home, { recursive: true, mode: 0o700 })
  writeFileSync(`${home}/config.yaml`, config(home))
  const policy = {
    tagOwners: Object.fromEntries(networks.map((n) => [tag(n), []])),
    grants: networks.map((n) => ({ src: [tag(n)], dst: [tag(n)], ip: ["tcp:7000"] }))
  }
  writeFileSync(`${home}/policy.json`, JSON.stringify(policy))
  const command = (...args: ReadonlyArray<string>): string =>
    run(inside(hub.netns, [`${options().binaries}/headscale`, "-c", `${home}/config.yaml`, ...args]))
  command("policy", "set", "--force", "--bypass-grpc-and-access-database-directly", "-f", `${home}/policy.json`)
  const server = start(`headscale-${name}`, hub.netns, [`${options().binaries}/headscale`, "-c", `${home}/config.yaml`, "serve"])
  await until("Headscale is healthy", server.name, 10_000, () => {
    try {
      return run(inside(hub.netns, ["curl", "-fsS", "-m1", `${url}/health`]))
    } catch {
      return undefined
    }
  })
  return {
    ...server, url,
    authKey: (network) => {
      const made = JSON.parse(command("preauthkeys", "create", "--tags", tag(network), "--reusable", "--expiration", "1h", "-o", "json")) as { readonly key: string }
      return made.key
    }
  }
}
