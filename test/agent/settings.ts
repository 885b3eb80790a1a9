/** Folders and settings for an agent in a test, gone with the scope. */
import { Effect, Layer } from "effect"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Config, type Settings } from "../../src/agent/Config.ts"
import { AgentName } from "../../src/domain/DnsLabel.ts"

export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "gs-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

export const settingsIn = (folder: string, overrides: Partial<Settings> = {}): Settings => ({
  controlUrl: "http://127.0.0.1:1", name: AgentName.make("host-1"), enrolmentToken: undefined, stateDir: join(folder, "state"), runtimeDir: join(folder, "run"),
  agentSocket: join(folder, "run/agent.sock"), meshdSocket: join(folder, "meshd.sock"), shim: join(folder, "no-shim"), dns: { host: "127.0.0.1", port: 0 },
  proxyBind: undefined, udpPorts: { first: 41650, last: 41749 }, topologyMaxAgeMs: 86_400_000, inspectorFiles: join(folder, "inspector"), hide: [], ...overrides
})

export const configIn = (folder: string, overrides: Partial<Settings> = {}) => Layer.succeed(Config, Config.of(settingsIn(folder, overrides)))

/** The agent of these settings has been enrolled before. */
export const enrolled = (folder: string, agentId = "agt_000000000000000000", credential = "secret"): void => {
  mkdirSync(join(folder, "state"), { recursive: true })
  writeFileSync(join(folder, "state/credential.json"), JSON.stringify({ agentId, name: "host-1", credential }))
}
