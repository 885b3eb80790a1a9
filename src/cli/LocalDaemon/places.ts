/** Where a user's background process keeps its socket and its state: folders of the user's own, by the XDG rules. */
import { homedir } from "node:os"
import { join } from "node:path"

export interface Places {
  /** Gone with the session where the system does so. */
  readonly runtimeDir: string
  readonly stateDir: string
  readonly socket: string
  readonly meshdSocket: string
  /** meshd's keys: they serve one life of the process. */
  readonly meshdState: string
  readonly lock: string
  readonly log: string
}

export const placesIn = (env: Readonly<Record<string, string | undefined>>): Places => {
  const stateDir = join(env["XDG_STATE_HOME"] || join(env["HOME"] || homedir(), ".local/state"), "gstacks/local")
  const runtimeDir = env["XDG_RUNTIME_DIR"] ? join(env["XDG_RUNTIME_DIR"], "gstacks-local") : join(stateDir, "run")
  const [socket, meshdSocket, meshdState, lock, log] = ["local.sock", "meshd.sock", "meshd", "lock", "local.log"].map((name) => join(runtimeDir, name)) as [string, string, string, string, string]
  return { stateDir, runtimeDir, socket, meshdSocket, meshdState, lock, log }
}
