/** The models keep the promises that the invariants rest on. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { closeDatabase } from "./Database.ts"
import { SimulatedDisk } from "./Disk.ts"
import { Journal } from "./Journal.ts"
import { Network } from "./Network.ts"
import { draw } from "./random.ts"
import { opening, openingMs } from "./schedule.ts"
import { Time } from "./Time.ts"
import { permitsOf } from "./trace.ts"
import { World } from "./World.ts"

afterAll(closeDatabase)

describe("time", () => {
  it("jumps from timer to timer, in the order of their times and then of their making; a cancelled one does not fire", async () => {
    const time = new Time()
    const fired: Array<string> = []
    for (const [name, millis] of [["c", 30], ["a", 10], ["b", 10], ["d", 5]] as const) {
      const cancel = time.after(millis, () => fired.push(`${name}@${time.now - time.startedAt}`))
      if (name === "d") cancel()
    }
    await time.run(time.startedAt + 20)
    assert.deepStrictEqual([...fired, time.timers, time.now - time.startedAt], ["a@10", "b@10", 1, 20])
  })
  it("a clock that was set back shows the past, and its sleeps last as long as they say", async () => {
    const time = new Time()
    const clock = time.clock(() => -3_600_000)
    let woke = 0
    Effect.runFork(Effect.andThen(clock.sleep(Duration.millis(50)), Effect.sync(() => { woke = time.now - time.startedAt })))
    await time.run(time.startedAt + 100)
    assert.deepStrictEqual([woke, clock.currentTimeMillisUnsafe() - time.now], [50, -3_600_000])
  })
})

describe("disk", () => {
  it("after a loss of power, what was synced is there; a name that was not may be or not", async () => {
    const outcomes = new Set<string>()
    for (let seed = 1; seed <= 30; seed++) {
      const disk = new SimulatedDisk(new Time(), draw(seed, "disk"))
      const seen = disk.seenBy(() => true)
      await seen.write("/state/new", "2", 0o600)
      await seen.rename("/state/new", "/state/synced")
      await seen.syncFolder("/state")
      await seen.write("/state/other", "1", 0o600)
      disk.losePower()
      assert.strictEqual(await seen.read("/state/synced"), "2")
      outcomes.add(String(await seen.read("/state/other")))
    }
    assert.deepStrictEqual(outcomes, new Set(["1", "undefined"]))
  })
  it("a full one takes part of an appended line, and says so; an ended process changes nothing", async () => {
    const disk = new SimulatedDisk(new Time(), draw(1, "disk"))
    disk.put("/state/log", "")
    disk.full = true
    const failure = await disk.seenBy(() => true).append("/state/log", "line").then(() => "", String)
    assert.include(failure, "ENOSPC")
    assert.strictEqual(await disk.seenBy(() => true).read("/state/log"), "li")
    assert.include(await disk.seenBy(() => false).remove("/state/log").then(() => "", String), "ended")
    assert.deepStrictEqual(disk.paths, ["/state/log"])
  })
})

describe("network", () => {
  it("what is on the way when both ends of a connection are closed is lost", async () => {
    const time = new Time()
    const network = new Network(time, new Journal(time), draw(1, "network"), () => {})
    network.listen(({ socket }) => { socket() })
    const client = network.dial("host-1", {})
    await time.run(time.now + 100)
    network.weather("host-1").latencyMs = 3000
    client.send("late")
    assert.deepStrictEqual([time.timers, network.openConnections], [1, 1])
    network.reset("host-1")
    client.send("later")
    assert.deepStrictEqual([time.timers, network.openConnections], [0, 0])
  })
})

describe("meshd", () => {
  it("ends permits by its host's clock, whatever the others say", async () => {
    const world = await World.make(1)
    await world.begin()
    for (const [number, operation] of [...opening, { op: "allow", network: "dev", from: "any", alias: "www", port: 80, forSeconds: 8 } as const].entries()) {
      world.ask(number, operation)
      await world.time.run(world.time.now + openingMs)
    }
    const host = world.hosts.get("host-1")!
    const permits = () => ["host-1", "host-2"].map((name) => permitsOf(world.hosts.get(name)!.meshd.plan).length)
    const before = permits()
    host.clock.jump(3_600_000)
    assert.deepStrictEqual([before, permits(), host.clock.latest - world.time.now], [[1, 2], [0, 2], 3_600_000])
    host.clock.jump(-3_600_000)
    await world.time.run(world.time.now + 8000)
    assert.deepStrictEqual([permits(), host.clock.now - world.time.now], [[0, 0], 0])
  }, 60_000)
})
