/**
 * Networks that host-3 joins and leaves, aliases that are published there and withdrawn, and a meshd that answers late or cannot
 * serve a sandbox. `member` on host-3 publishes `x` in network `side`; every join is one of a network of its own.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { named } from "../../../src/dev/Cluster.ts"
import { eventually, type Fixture } from "../../e2e/fixture.ts"
import type { Ground, Victim } from "./Ground.ts"
import { type Scenario, type Tools, whenRestarted } from "./Scenario.ts"
import { signalIfThere } from "./signalIfThere.ts"

const process = "host-3"
const meshd: Victim = { role: "meshd", host: process }
const headscale = join(import.meta.dirname, "../../../dist/bin/headscale")

const sleeping = async (fixture: Fixture, name: string) => {
  const { body, status } = await fixture.api("POST", "/sandboxes", { name, agent: process, labels: {}, replace: true, spec: { command: ["sleep", "100000"], env: {}, binds: [] } })
  if (status !== 201) throw new Error(`sandbox ${name}: ${JSON.stringify(body)}`)
}

export const prepareHost3 = async ({ fixture }: Ground): Promise<void> => {
  await sleeping(fixture, "member")
  await fixture.network("side")
  await fixture.attach("side", "member", "x", [9000])
  await joined(fixture, "side")
}
export const clearHost3 = async ({ fixture }: Ground): Promise<void> => {
  for (const { name } of (await fixture.api("GET", "/networks")).body) if (name !== "dev") await leave(fixture, name)
  await fixture.api("DELETE", "/sandboxes/member")
}

const joined = (fixture: Fixture, network: string) => eventually(`${process} has joined ${network}`, async () =>
  (await fixture.api("GET", `/networks/${network}`)).body.agents?.some((agent: { agent: string; joined: boolean }) => agent.agent === process && agent.joined), 30_000)

let networks = 0
/** A network that nobody has joined before; the receipts of its changes are not awaited. */
const newNetwork = async (fixture: Fixture) => {
  const name = `join-${++networks}`
  await fixture.api("POST", "/networks", { name })
  await fixture.api("POST", `/networks/${name}/attachments`, { sandbox: "member", ports: [] })
  return name
}
const leave = async (fixture: Fixture, name = `join-${networks}`) => {
  await fixture.api("DELETE", `/networks/${name}?cascade=true`)
}
const joins = (state: string, more: Partial<Scenario> = {}): Scenario => ({
  state: `networkJoin.member.${state}`, process, provoke: ({ ground }) => newNetwork(ground.fixture),
  after: async ({ ground: { fixture } }) => {
    await joined(fixture, `join-${networks}`)
    await leave(fixture)
  }, ...more
})

/** A network with `member` in it that the host joins, and then leaves. */
const leaves = (state: string, more: Partial<Scenario> = {}): Scenario => ({
  state: `networkJoin.${state}`, process,
  prepare: async ({ ground: { fixture } }) => joined(fixture, await newNetwork(fixture)),
  provoke: ({ ground }) => leave(ground.fixture), ...more
})

/** meshd dies when it is asked to leave. */
const cannotLeave = async ({ ground, kill }: Tools) => {
  await joined(ground.fixture, await newNetwork(ground.fixture))
  ground.arm(process, "networkJoin.leaving")
  await leave(ground.fixture)
  await ground.stopped(process, "networkJoin.leaving")
  kill("meshd", process)
}

const askHeadscale = async (fixture: Fixture, ...words: ReadonlyArray<string>) => {
  const config = join(named("dev", fixture.cluster.env).stateDir, "control/headscale/config.yaml")
  return (await fixture.cluster.exec("control", headscale, "-c", config, "nodes", ...words, "-o", "json")).stdout
}
const nodeOfSide = async (fixture: Fixture) => {
  const nodes: ReadonlyArray<{ readonly id: number; readonly name: string; readonly expiry?: unknown }> = JSON.parse(await askHeadscale(fixture, "list"))
  return nodes.findLast(({ name }) => name === "host-3-side")
}
/** An operator ends the registration of the host's node in `side`: it needs a new key, and gets one. */
const expired = (more: Partial<Scenario> = {}): Scenario => ({
  state: "networkJoin.member.degraded", process,
  provoke: async ({ ground: { fixture } }) => askHeadscale(fixture, "expire", "-i", String((await nodeOfSide(fixture))!.id)),
  after: ({ ground: { fixture } }) => eventually("the mesh accepts the node again", async () => {
    const node = await nodeOfSide(fixture)
    return node !== undefined && node.expiry === undefined
  }, 30_000),
  ...more
})

const publish = async ({ ground: { fixture } }: Tools) => fixture.change("POST", "/networks/side/aliases", { sandbox: "member", alias: "y", ports: [9001] })
const withdraw = async ({ ground: { fixture } }: Tools) => fixture.change("DELETE", "/networks/side/aliases/y")
const withdrawn = (state: string): Scenario => ({ state: `aliasListener.${state}`, process, prepare: publish, provoke: withdraw })

const childrenOf = (pid: number): ReadonlyArray<number> => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)
const below = (pid: number): ReadonlyArray<number> => childrenOf(pid).flatMap((child) => [child, ...below(child)])

/** A sandbox that seems to run, and whose namespaces are gone: its shim is stopped, its processes are dead. */
const unserved = async ({ ground: { fixture } }: Tools) => {
  await sleeping(fixture, "fragile")
  await fixture.attach("side", "fragile")
  await fixture.allow("side", "sandbox:fragile", "x", 9000)
  fixture.cluster.freeze("shim", "fragile")
  below(fixture.cluster.pid("shim", "fragile")!).forEach((pid) => signalIfThere(pid, "SIGKILL"))
}
const mourned = async ({ ground: { fixture } }: Tools) => {
  fixture.cluster.thaw("shim", "fragile")
  await eventually("the sandbox can be removed", async () => (await fixture.api("DELETE", "/sandboxes/fragile")).status === 200, 20_000)
}

/** What also concerns others: their meshes reconnect. */
export const withHeadscale: ReadonlyArray<Scenario> = ["requestingKey", "joining"].map((state) => joins(state, { kill: [{ role: "headscale", host: "" }] }))

export const onHost3: ReadonlyArray<Scenario> = [
  joins("requestingKey"), joins("reporting"),
  { state: "networkJoin.member.failed", process, provoke: async ({ kill }) => kill("meshd", process) },
  ...whenRestarted(process, "dataPlane.session.ready", "topology.applying", "networkJoin.member.joining").map((scenario) => ({ ...scenario, kill: [meshd] })),
  leaves("lingering"), leaves("leaving"), leaves("leaving", { kill: [meshd] }),
  { state: "networkJoin.stuck", process, prepare: cannotLeave, provoke: async ({ ground }) => ground.thaw(process) },
  withdrawn("draining"), withdrawn("closed"),
  {
    state: "topology.retrying", process,
    provoke: async ({ ground: { fixture } }) => {
      fixture.cluster.freeze("meshd", process)
      const { body, status } = await fixture.api("POST", "/networks/side/rules", { from: "any", to: "x", port: 9000 })
      if (status !== 201) throw new Error(`the rule was not made: ${status} ${JSON.stringify(body)}`)
    },
    after: async ({ ground: { fixture }, killed }) => {
      if (!killed.some(({ role }) => role === "meshd")) fixture.cluster.thaw("meshd", process)
    }
  },
  { state: "dataPlane.session.degraded", process, prepare: unserved, provoke: async ({ kill }) => kill("meshd", process), after: mourned },
  {
    state: "aliasListener.failed", process, prepare: unserved, after: mourned,
    provoke: async ({ kill }) => {
      kill("meshd", process)
      kill("agent", process)
    }
  },
  expired(), expired({ kill: [] })
]
