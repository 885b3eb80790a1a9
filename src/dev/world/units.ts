/** The processes of a cluster: what each is told through its environment. Addresses are literal, so that nothing asks a resolver. */
import { join } from "node:path"
import { controlAddress } from "./bridge.ts"
import type { UnitSpec } from "./unit.ts"
import type { WorldConfig } from "./WorldConfig.ts"

const controlUrl = `http://${controlAddress}:7070`
const headscaleAddress = `${controlAddress}:8080`

export const hostStateDir = (config: WorldConfig, host: string, role: "agent" | "meshd") => join(config.stateDir, "hosts", host, role)
export const credentialFile = (config: WorldConfig, host: string) => join(hostStateDir(config, host, "agent"), "credential.json")

/** Nothing of the user's own GLOBALSTACKS_ settings gets in: a cluster is the same on every machine. */
const environment = (config: WorldConfig, own: Record<string, string>) => {
  const env: Record<string, string> = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: process.env["HOME"] ?? "/", LANG: "C.UTF-8" }
  return {
    ...env,
    GLOBALSTACKS_LIBEXEC: join(config.bundles, "bin"),
    GLOBALSTACKS_ALLOW_PLAIN_HTTP: "1",
    ...config.env,
    ...own
  }
}

const logFile = (config: WorldConfig, name: string) => join(config.stateDir, "logs", `${name}.log`)

/** As bin/gstacks runs it. */
export const controlUnit = (config: WorldConfig): UnitSpec => ({
  role: "control",
  host: null,
  command: process.execPath,
  args: ["--wasm-tiering-budget=200000000", join(config.bundles, "control.mjs")],
  logFile: logFile(config, "control"),
  env: environment(config, {
    GLOBALSTACKS_STATE_DIR: join(config.stateDir, "control"),
    GLOBALSTACKS_LISTEN: `${controlAddress}:7070`,
    GLOBALSTACKS_LISTEN_SOCKET: join(config.runtimeDir, "control.sock"),
    GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR: headscaleAddress,
    APP_HOST: controlAddress
  })
})

const onHost = (config: WorldConfig, host: string, role: "agent" | "meshd", program: ReadonlyArray<string>, own: Record<string, string>): UnitSpec => ({
  role,
  host,
  // nsenter becomes the program, so that its pid is the program's.
  command: "nsenter",
  args: [`--net=/run/netns/${host}`, "--", ...program],
  logFile: logFile(config, `${host}.${role}`),
  env: environment(config, own)
})

export const meshdUnit = (config: WorldConfig, host: string): UnitSpec =>
  onHost(config, host, "meshd", [
    join(config.bundles, "bin", "meshd"),
    "-socket",
    join(config.runtimeDir, host, "meshd.sock"),
    "-state",
    hostStateDir(config, host, "meshd")
  ], {})

/** As bin/gstacks runs it. `tokenFile` is there only for a host that is not enrolled yet. */
export const agentUnit = (config: WorldConfig, host: string, tokenFile: string | null): UnitSpec =>
  onHost(config, host, "agent", [process.execPath, "--max-semi-space-size=2", "--optimize-for-size", join(config.bundles, "agent.mjs")], {
    MALLOC_ARENA_MAX: "2",
    MALLOC_MMAP_THRESHOLD_: "131072",
    GLOBALSTACKS_CONTROL_URL: controlUrl,
    GLOBALSTACKS_AGENT_NAME: host,
    ...(tokenFile === null ? {} : { GLOBALSTACKS_AGENT_ENROLMENT_TOKEN_FILE: tokenFile }),
    GLOBALSTACKS_STATE_DIR: hostStateDir(config, host, "agent"),
    GLOBALSTACKS_RUNTIME_DIR: join(config.runtimeDir, host),
    GLOBALSTACKS_SANDBOX_HIDE: [config.stateDir, config.runtimeDir, ...config.hide].join(":")
  })

