/** What happens to the control plane by restarts, commits and agents that come and go, and to the Headscale that it runs. */
import type { Victim } from "./Ground.ts"
import { type Scenario, testOfDev, type Tools, whenRestarted } from "./Scenario.ts"

const process = "control"
const headscale: Victim = { role: "headscale", host: "" }

const checks = ["checkingMesh", "checkingTopology", "checkingDns", "checkingRoute", "checkingPolicy", "done"]

/** A network of `member` on host-3, which has to acknowledge what changes. */
let made = 0
const newNetwork = async ({ ground: { fixture } }: Tools) => {
  await fixture.api("POST", "/networks", { name: `rollout-${++made}` })
  await fixture.api("POST", `/networks/rollout-${made}/attachments`, { sandbox: "member", ports: [] })
}
const removeNetwork = ({ ground: { fixture } }: Tools) => fixture.api("DELETE", `/networks/rollout-${made}?cascade=true`)

const terminate = async ({ ground: { fixture } }: Tools) => globalThis.process.kill(fixture.cluster.pid("control")!, "SIGTERM")

/** Headscale ends while the control plane makes sure of its key: it is of no use, and is ended. */
const useless = async ({ ground, kill }: Tools) => {
  kill("control") // first, as in whenRestarted
  ground.arm(process, "managedHeadscale.authorizing")
  await ground.stopped(process, "managedHeadscale.authorizing")
  kill("headscale")
}

export const ofControl: ReadonlyArray<Scenario> = [
  ...whenRestarted(process,
    "managedHeadscale.preparing", "managedHeadscale.authorizing", "managedHeadscale.running",
    "networkRollout.pending", "networkRollout.applied",
    "agentSession.open.attaching", "agentSession.open.synchronizing", "agentSession.open.online"),
  ...whenRestarted(process, "managedHeadscale.authorizing").map((scenario) => ({ ...scenario, kill: [headscale] })),
  { state: "managedHeadscale.pausing", process, provoke: async ({ kill }) => kill("headscale") },
  { state: "managedHeadscale.starting", process, provoke: async ({ kill }) => kill("headscale") },
  { state: "managedHeadscale.starting", process, kill: [], provoke: async ({ kill }) => kill("headscale") },
  { state: "managedHeadscale.ending", process, prepare: useless, provoke: async ({ ground }) => ground.thaw(process) },
  { state: "managedHeadscale.stopping", process, provoke: terminate }, { state: "managedHeadscale.stopped", process, provoke: terminate },
  { state: "networkRollout.applying", process, provoke: newNetwork },
  { state: "networkRollout.closed", process, prepare: newNetwork, provoke: removeNetwork },
  { state: "agentSession.open.checking", process, provoke: async () => {} },
  ...["closing", "closed"].map((state): Scenario => ({ state: `agentSession.${state}`, process, provoke: async ({ kill }) => kill("agent", "host-3") })),
  ...checks.map((check): Scenario => ({ state: `diagnosticRun.${check}`, process, provoke: testOfDev }))
]
