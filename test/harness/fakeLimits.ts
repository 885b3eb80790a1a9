/** The `limits` group of the fake control plane: one list for every network, of aliases and sandboxes that need not be there. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { SandboxName } from "../../src/domain/DnsLabel.ts"
import type { Limit } from "../../src/domain/Limit.ts"
import { LimitNotFound } from "../../src/domain/Problems.ts"
import { Api } from "../../src/protocol/http/Api.ts"
import type { FakeControl } from "./fakeControl.ts"

export const limits = (fake: FakeControl) => HttpApiBuilder.group(Api, "limits", (handlers) => Effect.succeed(handlers.handleAll({
  list: ({ params }) => Effect.as(fake.world(params.network), fake.limits),
  set: Effect.fn(function*({ params, payload: { alias = null, maxPerSecond = null, maxStreams = null, sandbox } }) {
    const value: Limit = { alias, sandbox: sandbox === undefined ? null : SandboxName.make(sandbox), maxPerSecond, maxStreams }
    fake.limits.push(value)
    return { value, change: fake.change(yield* fake.world(params.network)) }
  }),
  clear: Effect.fn(function*({ params, query }) {
    const value = fake.limits.find(({ alias, sandbox }) => alias === (query.alias ?? null) && sandbox === (query.sandbox ?? null))
    if (value === undefined) return yield* new LimitNotFound({ detail: "It has no limit.", hint: `gstacks network limit list ${params.network}` })
    fake.limits.splice(fake.limits.indexOf(value), 1)
    return { value, change: fake.change(yield* fake.world(params.network)) }
  })
})))
