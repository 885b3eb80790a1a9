/** What the simulation has found, as schedules of their own: each failed before the product was mended. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Context } from "effect"
import { Sessions } from "../../src/control/Sessions.ts"
import { closeDatabase } from "./Database.ts"
import { inflict } from "./faults.ts"
import { run } from "./run.ts"
import { type Action, opening, openingMs, scheduleFor } from "./schedule.ts"
import { World } from "./World.ts"

afterAll(closeDatabase)

/** After the usual opening, a second apart unless a number of milliseconds says otherwise. */
const after = (...actions: ReadonlyArray<Action | number>) => {
  let at = opening.length * openingMs
  const timed = opening.map((action, index) => ({ at: index * openingMs, action: action as Action }))
  for (const action of actions) {
    if (typeof action === "number") at += action
    else timed.push({ at: at += 1000, action })
  }
  return timed.map((step, number) => ({ number, ...step }))
}
const holds = (name: string, seed: number, ...actions: ReadonlyArray<Action | number>): void => {
  it(name, async () => { assert.deepStrictEqual((await run(seed, after(...actions))).problems, []) }, 60_000)
}

describe("found by the simulation", () => {
  holds("a connection that has gone deaf is noticed on a host whose clock was set back", 136,
    { fault: "network.deaf", host: "host-1", forMs: 3000 }, 2000, { fault: "clock.jump", host: "host-1", byMs: -3_600_000 }, 5000,
    { op: "allow", network: "dev", from: "sandbox:web", alias: "www", port: 80 })

  holds("listeners that went with their supervisor come back on a host whose clock was set back", 400202,
    { fault: "clock.jump", host: "host-1", byMs: -3_600_000 }, { fault: "supervisor.crash", process: "host-1", nth: 6 })

  it("a host that lost its power counts as away within seconds, though its connection never ended", async () => {
    const world = await World.make(1)
    await world.begin()
    await world.time.run(world.time.now + 5000)
    const isOnline = () => Context.get(world.control!.services!, Sessions).isOnline(world.agentIds.get("host-1")!)
    assert.isTrue(isOnline())
    world.hosts.get("host-1")!.losePower()
    await world.time.run(world.time.now + 10_000)
    assert.isFalse(isOnline())
  }, 60_000)

  it("nor do those count as there of which an actor that watches the session has crashed", async () => {
    const world = await World.make(1)
    await world.begin()
    await world.time.run(world.time.now + 5000)
    inflict(world, { fault: "actor.crash", process: "control", nth: 0, machine: "agentSession" })
    for (const host of world.hosts.values()) host.losePower()
    await world.time.run(world.time.now + 10_000)
    const sessions = Context.get(world.control!.services!, Sessions)
    assert.deepStrictEqual([...world.agentIds].filter(([, id]) => sessions.isOnline(id)), [])
  }, 60_000)

  holds("a host leaves the mesh also when its join crashes while it lingers", 1,
    { op: "remove", box: "web" }, { fault: "actor.crash", process: "host-1", nth: 0, machine: "networkJoin" })

  holds("how a sandbox ended is told again when the database was away", 1155,
    { fault: "database.away", forMs: 3000 }, { fault: "sandbox.exit", host: "host-2", nth: 0 })

  holds("a plan that waited in meshd while its agent was started again does not replace the next agent's", 1621,
    { fault: "meshd.crash", host: "host-2", forMs: 500 }, -900, { fault: "meshd.slow", host: "host-2", byMs: 3000, forMs: 1500 },
    { op: "revoke", network: "dev", nth: 0 }, -600, { fault: "agent.stop", host: "host-2", forMs: 300 })

  holds("a listener that is about to be started again goes with its permit", 285,
    { fault: "actor.crash", process: "host-1", nth: 0, machine: "networkJoin" }, -920, { op: "revoke", network: "dev", nth: 0 })

  holds("a network that was deleted is left also when its supervisor gives up while it lingers", 909,
    { op: "delete", network: "dev" }, { fault: "supervisor.crash", process: "host-1", nth: 6 })

  holds("a sandbox that could not be written down on a full disk starts once there is room", 28466,
    { fault: "network.cut", host: "host-3", forMs: 4000 }, { op: "run", box: "db", host: "host-3", team: "red" }, { fault: "disk.full", host: "host-3", forMs: 6000 })

  holds("a sandbox that is stopped before its start has arrived does not run", 5243,
    { fault: "network.cut", host: "host-3", forMs: 6000 }, { op: "run", box: "db", host: "host-3", team: "blue" }, { op: "stop", box: "db" })

  holds("a sandbox that was stopped before its start had arrived has an end, though the control plane was killed meanwhile", 406911,
    { fault: "network.deaf", host: "host-3", forMs: 3000 }, { op: "run", box: "lab", host: "host-3", team: "red" }, { op: "stop", box: "lab" }, { fault: "control.kill", forMs: 300 })

  for (const [name, untilAway] of [["a sandbox whose removal", -500], ["a sandbox whose removal from a network", 460]] as const) {
    holds(`${name} was stored while the database failed, and nobody was told, is gone all the same`, 408436,
      { op: "run", box: "cron", host: "host-1", team: "red" }, { fault: "database.slow", byMs: 59, forMs: 4500 }, { op: "retire", host: "host-1" }, untilAway, { fault: "database.away", forMs: 4000 })
  }

  holds("a sandbox that is removed before its start has arrived does not run", 3442,
    { fault: "network.cut", host: "host-3", forMs: 6000 }, { op: "run", box: "db", host: "host-3", team: "blue" }, { op: "remove", box: "db" })

  holds("a sandbox whose start was interrupted while it was written down is known, and removed", 5592,
    { fault: "disk.slow", host: "host-1", byMs: 1370, forMs: 2240 }, -660, { op: "run", box: "db", host: "host-1", team: "blue" }, 1090, { fault: "network.reset", host: "host-1" })

  holds("a removed agent stays out though the control plane's clock was set back", 1,
    { op: "retire", host: "host-3" }, -600, { fault: "clock.jump", host: "control", byMs: -3_600_000 }, 11_000, { fault: "network.reset", host: "host-3" })

  /** Those steps of a seed that were left when its failure was shrunk. */
  const seedHolds = (name: string, seed: number, ...steps: ReadonlyArray<number>) => it(name, async () => {
    assert.deepStrictEqual((await run(seed, scheduleFor(seed).filter(({ number }) => steps.includes(number)))).problems, [])
  }, 60_000)

  seedHolds("what an agent said on a connection that a newer one has replaced is not recorded", 505418, 1, 24, 29, 32)
  seedHolds("a change of one network takes effect though another is found removed while it is read", 604744, 0, 1, 16, 29, 31, 32, 34)
  seedHolds("who waits until some time finds that it has come, whatever fractions of a millisecond make of sums", 606400, 0, 1, 3, 22, 26, 27, 28)
})
