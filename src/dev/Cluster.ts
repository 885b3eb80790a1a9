/**
 * Where a disposable cluster keeps its files, by name. Two clusters never share a folder: another name or another XDG_STATE_HOME is
 * another cluster. The state folder survives `down` and `up`; the runtime folder holds sockets only and lives as long as the cluster
 * (under /tmp, since a socket's path may not exceed 107 bytes and the world hides the user's /run).
 */
import { createHash } from "node:crypto"
import { homedir, userInfo } from "node:os"
import { isAbsolute, join } from "node:path"

export interface Cluster {
  readonly name: string
  readonly stateDir: string
  readonly runtimeDir: string
}

export const named = (name: string, env: NodeJS.ProcessEnv = process.env): Cluster => {
  const wanted = env["XDG_STATE_HOME"]
  const home = wanted !== undefined && isAbsolute(wanted) ? wanted : join(env["HOME"] || homedir(), ".local/state")
  const stateDir = join(home, "gstacks", name === "dev" ? "dev" : `dev-${name}`)
  const key = createHash("sha256").update(stateDir).digest("hex").slice(0, 10)
  return { name, stateDir, runtimeDir: `/tmp/gstacks-${userInfo().uid}-${key}` }
}

export const controlSocket = (cluster: Cluster) => join(cluster.runtimeDir, "control.sock")
export const agentSocket = (cluster: Cluster, host: string) => join(cluster.runtimeDir, host, "agent.sock")
export const worldFile = (cluster: Cluster) => join(cluster.runtimeDir, "world.json")
export const adminTokenFile = (cluster: Cluster) => join(cluster.stateDir, "control", "admin.token")
export const logsDir = (cluster: Cluster) => join(cluster.stateDir, "logs")

export const hostNames = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, index) => `host-${index + 1}`)
