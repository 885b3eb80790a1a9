/** A fake control plane with two agents and two sandboxes, and a CLI that is logged in to it. */
import { Effect } from "effect"
import { FakeControl, fakeAgent, serveFakeControl } from "../harness/fakeControl.ts"
import { type Ended, gstacks, type Options } from "./gstacks.ts"

export interface TestWorld {
  readonly fake: FakeControl
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  readonly cli: (line: string | ReadonlyArray<string>, options?: Options) => Effect.Effect<Ended>
  /** The same with `--json`, which must succeed. */
  readonly json: (line: string) => Effect.Effect<any>
}

export const makeWorld = Effect.gen(function*() {
  const fake = new FakeControl()
  const url = yield* serveFakeControl(fake)
  const env = { GSTACKS_URL: url, GSTACKS_TOKEN: fake.token }
  const cli: TestWorld["cli"] = (line, options) => gstacks(line, { ...options, env: { ...env, ...options?.env } })
  fake.participants = 2
  fake.agents.push(yield* fakeAgent("host-1", "/nonexistent/1.sock"), yield* fakeAgent("host-2", "/nonexistent/2.sock"))
  yield* cli("sandbox run web --agent host-1 -- sleep infinity")
  yield* cli("sandbox run backend --agent host-2 --label tier=back -- serve")
  return { fake, url, env, cli, json: (line) => Effect.map(cli(`${line} --json`), (ended) => JSON.parse(ended.stdout)) } satisfies TestWorld
})
