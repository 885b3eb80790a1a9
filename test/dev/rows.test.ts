/** Pids of the world become the caller's, and what the supervised processes started is found by its program and network. */
import { assert, it } from "@effect/vitest"
import type { Seen } from "../../src/dev/processes.ts"
import { rows } from "../../src/dev/rows.ts"
import type { ProcessState } from "../../src/dev/world/WorldConfig.ts"

const seen = (pid: number, inner: number, program: string, network = "net:[1]", words: ReadonlyArray<string> = []): Seen => ({ pid, inner, program, network, words })
const kept = (role: string, host: string | null, pid: number | null): ProcessState => ({ role, host, pid, state: pid === null ? "restarting" : "running", restarts: 0, lastExit: null })

it("maps, finds and leaves out", () => {
  const world = {
    pidNamespace: "pid:[9]", networks: { control: "net:[1]", "host-1": "net:[2]" },
    processes: [kept("control", null, 7), kept("agent", "host-1", 8), kept("meshd", "host-1", null)]
  }
  const shim = ["gstacks-shim", "-dir", "/s", "--", "bwrap", "--hostname", "web", "--", "sleep"]
  const result = rows(world, [
    seen(101, 1, "sh"), seen(107, 7, "node"), seen(108, 8, "node", "net:[2]"), seen(109, 9, "headscale"), seen(110, 10, "gstacks-shim", "net:[2]", shim)
  ])
  assert.deepStrictEqual(result.map(({ host, pid, role, sandbox }) => [role, host, pid, sandbox]), [
    ["control", null, 107, undefined], ["agent", "host-1", 108, undefined], ["meshd", "host-1", null, undefined],
    ["headscale", null, 109, undefined], ["shim", "host-1", 110, "web"]
  ])
})
