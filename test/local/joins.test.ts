/** Joining, joining again and leaving: what ends a join, what does not, and what is said of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { AliasName, Port } from "../../src/domain/DnsLabel.ts"
import { world } from "./world.ts"

const patienceMs = 60_000

describe("joining again", () => {
  it.live("after it was revoked: a new join, which stays, and the process with it", () => Effect.gen(function*() {
    const { actors, allLeft, control, join, joinOf, until } = yield* world
    assert.strictEqual((yield* join()).state, "joined")
    const ends = yield* Effect.forkChild(allLeft, { startImmediately: true })
    control.end()
    yield* until("revoked")
    const again = yield* join()
    assert.deepStrictEqual([again.state, again.id], ["joined", control.living()[0]!.id])
    // The fibre that waited for the first one's end has had its turn by the time that a second is over.
    const still = yield* Effect.timeoutOption(Fiber.join(ends), "2 seconds")
    assert.strictEqual(still._tag, "None", "the process would have ended")
    assert.deepInclude(yield* joinOf("dev"), { state: "joined", id: again.id })
    assert.strictEqual((yield* actors.snapshot("local/joins/dev")).state, "member.joined")
  }), patienceMs)

  it.live("while it is being left: the new join is another, and stays", () => Effect.gen(function*() {
    const { client, control, join, joinOf } = yield* world
    const first = yield* join()
    const leaving = yield* Effect.forkChild(client.leave("dev"), { startImmediately: true })
    while (control.callsOf("end").length === 0) yield* Effect.sleep(5)
    const second = yield* join()
    yield* Fiber.join(leaving)
    assert.notStrictEqual(second.id, first.id)
    assert.deepInclude(yield* joinOf("dev"), { state: "joined", id: second.id })
  }), patienceMs)
})

describe("joining what is joined with another token", () => {
  it.live("a wrong token is refused as such, and the join goes on as it is", () => Effect.gen(function*() {
    const { control, join, joinOf } = yield* world
    const first = yield* join()
    const refused = yield* Effect.flip(join("nobody's"))
    assert.deepStrictEqual([refused.exitCode, refused.problem.hint], [4, "gstacks login"])
    assert.include(refused.problem.detail, "The token is not known")
    const renewals = control.callsOf("renew").length
    control.version++ // what renews next hears of it
    while (control.callsOf("renew").length < renewals + 1) yield* Effect.sleep(5)
    assert.isFalse(control.callsOf("renew").slice(renewals).includes("renew nobody's"))
    assert.deepInclude(yield* joinOf("dev"), { state: "joined", id: first.id, user: "ann" })
  }), patienceMs)

  it.live("another user's token is refused: it has to be left first", () => Effect.gen(function*() {
    const { control, join, joinOf } = yield* world
    const first = yield* join()
    const refused = yield* Effect.flip(join("bob's"))
    assert.deepStrictEqual([refused.exitCode, refused.problem.hint], [1, "gstacks mesh leave dev"])
    assert.include(refused.problem.detail, "as local:ann")
    assert.deepInclude(yield* joinOf("dev"), { state: "joined", id: first.id })
    assert.strictEqual(control.living().length, 1)
  }), patienceMs)

  it.live("another token of the user's takes the place of the first, and no other join is made", () => Effect.gen(function*() {
    const { client, control, join, joinOf } = yield* world
    const first = yield* join()
    assert.deepInclude(yield* join("ann's second"), { state: "joined", id: first.id })
    control.tokens.delete("ann's")
    control.version++
    while (control.callsOf("renew").filter((call) => call.endsWith("second")).length < 2) yield* Effect.sleep(5)
    assert.deepInclude(yield* joinOf("dev"), { state: "joined", id: first.id })
    yield* client.leave("dev")
    assert.deepStrictEqual([control.joins.length, control.callsOf("end")], [1, ["end ann's second"]])
  }), patienceMs)

  it.live("that cannot be asked about leaves all as it is", () => Effect.gen(function*() {
    const { control, join, joinOf, until } = yield* world
    const first = yield* join()
    control.away = true
    yield* until("degraded")
    assert.include((yield* Effect.flip(join("ann's second"))).problem.detail, "the join of dev goes on as it is: the control plane cannot be reached")
    assert.deepInclude(yield* join(), { state: "degraded", id: first.id }, "the same token only asks how it is")
    control.away = false
    yield* until("joined")
    assert.strictEqual((yield* joinOf("dev"))?.id, first.id)
  }), patienceMs)
})

it.live("a first join with a wrong token is refused, exit code 4, and nothing stays of it", () => Effect.gen(function*() {
  const { join, joinOf } = yield* world
  const refused = yield* Effect.flip(join("nobody's"))
  assert.deepStrictEqual([refused.exitCode, refused.problem.hint], [4, "gstacks login"])
  assert.isUndefined(yield* joinOf("dev"))
}), patienceMs)

it.live("leaving does not wait for a publication that hangs, which ends with it", () => Effect.gen(function*() {
  const { client, control, join, joinOf } = yield* world
  yield* join()
  for (const method of ["publish", "unpublish"]) control.hang.add(method)
  const publishing = yield* Effect.forkChild(Effect.flip(client.publish({ network: "dev", alias: AliasName.make("laptop-api"), port: Port.make(80), local: Port.make(3000), forSeconds: 60 as never })), { startImmediately: true })
  while (control.callsOf("publish").length === 0) yield* Effect.sleep(5)
  yield* client.leave("dev").pipe(Effect.timeout("14 seconds")) // publishing gives up after 15 s by itself
  assert.isUndefined(yield* joinOf("dev"))
  assert.deepStrictEqual([control.living(), control.callsOf("end").length], [[], 1])
  assert.match((yield* Fiber.join(publishing)).problem.detail, /not published yet|left meanwhile/)
}), patienceMs)
