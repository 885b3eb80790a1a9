/** What happens to an agent by restarts, and by faults of meshd, of the control plane and of its host's DNS address. */
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { named } from "../../../src/dev/Cluster.ts"
import { eventually } from "../../e2e/fixture.ts"
import { type Scenario, testOfDev, whenRestarted } from "./Scenario.ts"

const checks = ["choosing", "checkingMesh", "checkingTopology", "checkingDns", "checkingRoute", "checkingPolicy", "done"]

export const onHost1: ReadonlyArray<Scenario> = [
  ...whenRestarted("host-1",
    "agentLink.enrolling", "agentLink.session.connecting", "agentLink.session.synchronizing", "agentLink.session.online",
    "aliasListener.planned", "aliasListener.opening", "aliasListener.listening"),
  ...checks.map((check): Scenario => ({ state: `agentDiagnostic.${check}`, process: "host-1", provoke: testOfDev }))
]

export const onHost2: ReadonlyArray<Scenario> = [
  ...whenRestarted("host-2",
    "dnsListener.open.binding", "dnsListener.open.serving",
    "dataPlane.session.connecting", "dataPlane.session.handshaking", "dataPlane.session.ready",
    "topology.empty", "topology.applying", "topology.applied",
    "networkJoin.left", "networkJoin.member.joining", "networkJoin.member.waitingForPeers", "networkJoin.member.joined",
    "sandbox.preparing.finding", "sandbox.running"),
  {
    state: "dnsListener.rebinding", process: "host-2",
    prepare: async ({ ground, kill }) => {
      kill("agent", "host-2") // first, as in whenRestarted
      ground.arm("host-2", "dnsListener.open.binding")
      await ground.stopped("host-2", "dnsListener.open.binding")
      await ground.occupyDns("host-2")
    },
    provoke: async ({ ground }) => ground.thaw("host-2"),
    after: ({ ground }) => ground.freeDns()
  }
]

/** Without a control plane that answers, and with a last contact long ago, an agent that starts grants nothing new. */
const outOfTouch = (state: string): Scenario => ({
  state, process: "host-1",
  provoke: async ({ ground, kill }) => {
    ground.fixture.cluster.freeze("control", "")
    const file = join(named("dev", ground.fixture.cluster.env).stateDir, "hosts/host-1/agent/contact.json")
    kill("agent", "host-1")
    writeFileSync(file, readFileSync(file, "utf8").replace(/("lastContact":)\d+/, "$10"))
  },
  after: async ({ ground }) => ground.thaw("control")
})

/** The agent is removed: only an operator can mend that, with a new token. */
export const removed: Scenario = {
  state: "agentLink.refused", process: "host-3",
  provoke: async ({ ground: { fixture } }) => {
    for (const { agent, name } of (await fixture.api("GET", "/sandboxes")).body) if (agent === "host-3") await fixture.api("DELETE", `/sandboxes/${name}`)
    await fixture.api("DELETE", "/agents/host-3")
  },
  after: async ({ ground: { fixture }, kill }) => {
    const { runtimeDir, stateDir } = named("dev", fixture.cluster.env)
    const { body } = await fixture.api("POST", "/tokens", { kind: "enrolment", name: "host-3", ttlSeconds: 600 })
    writeFileSync(join(runtimeDir, "host-3/enrolment.token"), body.secret)
    rmSync(join(stateDir, "hosts/host-3/agent/credential.json"))
    await eventually("the agent is started again", () => fixture.cluster.pid("agent", "host-3") !== undefined)
    kill("agent", "host-3")
  }
}

/** What also concerns others: streams between hosts end, or nobody has a control plane for a while. */
export const forEveryone: ReadonlyArray<Scenario> = [
  { state: "dataPlane.backoff", process: "host-1", provoke: async ({ kill }) => kill("meshd", "host-1") },
  outOfTouch("topology.stale.freezing"), outOfTouch("topology.stale.waiting"),
  { state: "agentLink.backoff", process: "host-1", provoke: async ({ kill }) => kill("control") }
]
