/** A cluster to look into: what its actors do is set by the tests. */
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Chart } from "../../src/domain/Sight.ts"
import { FakeLocalAgent, serveFakeLocalAgent } from "../harness/fakeLocalAgent.ts"
import { actorState } from "../harness/fakeSight.ts"
import { gstacks, temporaryFolder } from "./gstacks.ts"
import { makeWorld } from "./world.ts"

export const link: Chart = {
  machine: "agentLink",
  states: [
    { path: "idle", parent: null, type: "atomic", initial: true, invokes: [] },
    { path: "session", parent: null, type: "compound", initial: false, invokes: ["session"] },
    { path: "session.online", parent: "session", type: "atomic", initial: true, invokes: [] },
    { path: "backoff", parent: null, type: "atomic", initial: false, invokes: [] }
  ],
  transitions: [
    { source: "idle", label: "session.opened", event: "session.opened", guard: null, targets: ["session.online"] },
    { source: "session", label: "session.lost", event: "session.lost", guard: "isRefused", targets: ["backoff"] },
    { source: "backoff", label: "after 500 ms", event: "xstate.after.500", guard: null, targets: ["idle"] }
  ]
}

export const agentActors = (link: string, lastError: string | null = null) => [
  actorState("agent", { kind: "supervisor", machine: "oneForOne", state: "running" }),
  actorState("agent/networks", { kind: "supervisor", machine: "oneForOne", state: "running" }),
  actorState("agent/networks/net_1/alias/api:8080", { machine: "aliasListener", state: "listening" }),
  actorState("agent/link", { machine: "agentLink", state: link, restarts: 2, mailbox: 1, since: Date.now(), lastError })
]

/** Control plane, host-1 whose socket is here, host-2 that is only known to the control plane and away. */
export const debugWorld = Effect.gen(function*() {
  const world = yield* makeWorld
  const folder = yield* temporaryFolder
  const agent = new FakeLocalAgent("host-1")
  const socket = join(folder, "agent.sock")
  yield* serveFakeLocalAgent(agent, socket)
  agent.sight.actors = agentActors("session.online", "reset")
  agent.sight.details.set("agent/link", {
    chart: link, active: ["session", "session.online"], context: { attempt: 3 },
    accepts: [{ event: "session.lost", guard: "isRefused", targets: ["backoff"], origin: "invoked" }]
  })
  world.fake.agentSights.set("host-1", agent.sight)
  world.fake.sight.actors = [actorState("control", { kind: "supervisor", machine: "oneForOne", state: "running" }), actorState("control/mesh/headscale", { machine: "managedHeadscale", state: "serving" })]
  const config = (url: string) => {
    mkdirSync(join(folder, "gstacks"), { recursive: true })
    writeFileSync(join(folder, "gstacks/config.json"), JSON.stringify({ current: "dev", contexts: { dev: { url, token: world.fake.token, agentSockets: { "host-1": socket } } } }), { mode: 0o600 })
  }
  config(world.url)
  const cli: typeof gstacks = (line, options) => gstacks(line, { ...options, env: { XDG_CONFIG_HOME: folder, ...options?.env } })
  return { ...world, agent, cli, folder, controlIsDown: () => config("http://127.0.0.1:1") }
})
