/** A command's network when the connection to the background process breaks. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Client } from "../../src/cli/LocalDaemon/client.ts"
import { served } from "../../src/cli/LocalDaemon/served.ts"
import { failed } from "../../src/cli/Failure.ts"
import { Quiet } from "../../src/cli/GlobalFlags.ts"
import { Shell } from "../../src/cli/Shell.ts"
import type { SandboxId } from "../../src/domain/Ids.ts"

const request = { network: "dev", pid: 7, program: "npm" }
const inside = { id: "sbx_01" as SandboxId, ...request, since: "", state: "inside" as const, reason: null }
const away = failed("background-away", "It does not answer", "it does not answer", "gstacks mesh status")

/** Each connection is the next of these; the last one is there for ever. */
const serve = (...connections: ReadonlyArray<ReturnType<Client["exec"]>>) => {
  const said: Array<string> = []
  let asked = 0
  const daemon = { exec: () => Stream.suspend(() => connections[Math.min(asked++, connections.length - 1)]!) }
  const shell = { err: (text: string) => Effect.sync(() => { said.push(text) }) } as unknown as Shell["Service"]
  return { said, asked: () => asked, run: served(daemon, request).pipe(Effect.provideService(Shell, shell), Effect.provideService(Quiet, false)) }
}
const broken = Stream.concat(Stream.succeed(inside), Stream.fail(away))
const whole = Stream.concat(Stream.succeed(inside), Stream.never)

describe("a command's network", () => {
  it.effect("is asked for again when the connection breaks, without a word", () => Effect.gen(function*() {
    const { asked, run, said } = serve(broken, Stream.fail(away), whole)
    yield* run
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual([asked(), said], [3, []])
  }))

  it.effect("is lost when the background process stays away: the command goes on, and that is said", () => Effect.gen(function*() {
    const { run, said } = serve(broken, Stream.fail(away))
    yield* run
    yield* TestClock.adjust("9 seconds")
    assert.deepStrictEqual(said, [])
    yield* TestClock.adjust("2 seconds")
    assert.strictEqual(said.length, 1)
    assert.include(said[0], "the command goes on")
  }))

  it.effect("what is refused, or does not come in time, is a failure", () => Effect.gen(function*() {
    assert.strictEqual((yield* Effect.flip(serve(Stream.fail(away)).run)).problem.detail, "it does not answer")
    const waiting = yield* Effect.forkScoped(Effect.flip(serve(Stream.never).run), { startImmediately: true })
    yield* TestClock.adjust("15 seconds")
    assert.strictEqual((yield* Fiber.join(waiting)).problem.title, "The network is lost")
  }))
})
