/**
 * The reachability matrix on the real parts: what connects is exactly what the reference says, whatever was changed, in which order, and
 * which process was killed meanwhile. SEED replays the order of a failure.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { eventually, Fixture, newSeed, randomOf } from "./fixture.ts"
import { hosts, PolicyWorld, ports, type Step } from "./PolicyWorld.ts"

/** How often each is tried; a change makes a network richer more often than not, or it would be empty nearly always. */
const deck: ReadonlyArray<Step> = Object.entries({
  allow: 18, publish: 8, addPort: 4, attach: 3, move: 4, revoke: 5, end: 3, closePort: 3, unpublish: 3, detach: 4, replace: 5, killAgent: 3, killControl: 1
} satisfies Record<Step, number>).flatMap(([step, count]) => Array.from({ length: count }, () => step as Step))
const stepsBetweenChecks = 4

describe("reachability matrix", () => {
  let fixture: Fixture
  let world: PolicyWorld
  const seed = newSeed()
  const random = randomOf(seed)

  beforeAll(async () => {
    fixture = await Fixture.start(hosts.length)
    world = await PolicyWorld.start(fixture, random)
  }, 180_000)
  afterAll(async () => {
    world?.stop()
    await fixture?.stop()
  }, 60_000)

  it("equals the reference after every few of many random changes", async () => {
    const history = [`seed ${seed}`]
    const enough = deck.length / 2
    for (const [done, step] of [...random.shuffled(deck), ...random.shuffled(deck)].entries()) {
      if (done >= deck.length && world.accepted > enough) break // else chance made the networks poor, and more is tried
      history.push(await world.make(step).catch((error: Error) => { throw new Error(`${history.join("\n")}\n${step}`, { cause: error }) }))
      if (done % stepsBetweenChecks === 0) await world.check(history.join("\n"))
    }
    await world.check(history.join("\n"))
    assert.isAbove(world.accepted, enough, history.join("\n"))
  }, 300_000)

  it("permitted and denied are refused alike while meshd is dead, although the app here listens on that very port", async () => {
    await fixture.network("green")
    await fixture.attach("green", "ant")
    await fixture.attach("green", "cat", "near", [7001])
    await fixture.allow("green", "sandbox:ant", "near", 7001)
    const { body: { address } } = await fixture.api("GET", "/networks/green/resolve/near")
    const works = async () => (await fixture.peers.get("ant")!.probe(address, 7001)).result === "open"
    assert.isTrue(await works())
    const targets = [address, "127.64.9.9", ...world.addresses()]

    const onHostOne = [...world.policy.boxes.values()].filter(({ host }) => host === hosts[0]).map(({ name }) => name)
    const meshd = fixture.cluster.pid("meshd", "host-1")
    fixture.cluster.freeze("world", "") // else it restarts what dies
    try {
      fixture.cluster.kill("meshd", "host-1")
      // Its last thread closes its sockets, and is not always the one that the state tells of.
      await eventually("meshd is dead", () => /^State:\s+Z/m.test(readFileSync(`/proc/${meshd}/status`, "utf8")) && readdirSync(`/proc/${meshd}/task`).length === 1)
      for (const target of targets) for (const source of onHostOne) for (const port of ports) {
        const probe = await fixture.peers.get(source)!.probe(target, port)
        assert.strictEqual(probe.result, "ECONNREFUSED", `${source} -> ${target}:${port}`)
        assert.isBelow(await world.promptest(source, target, port, probe.ms), 50, `${source} -> ${target}:${port}`)
      }
    } finally { fixture.cluster.thaw("world", "") }
    await eventually("meshd is back", works)
  }, 60_000)
})
