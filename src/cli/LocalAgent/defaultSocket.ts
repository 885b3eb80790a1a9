/** Where this host's agent puts its socket when nothing else is said; the same rule as the agent's own. */
import { homedir } from "node:os"
import { join } from "node:path"

export const defaultSocket = (env: Readonly<Record<string, string | undefined>>): string => {
  const state = env["GLOBALSTACKS_STATE_DIR"] || join(env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "gstacks/agent")
  const runtime = env["GLOBALSTACKS_RUNTIME_DIR"] || (env["XDG_RUNTIME_DIR"] ? join(env["XDG_RUNTIME_DIR"], "gstacks") : join(state, "run"))
  return join(runtime, "agent.sock")
}
