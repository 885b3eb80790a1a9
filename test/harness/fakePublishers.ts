/** The `publishers` group of the fake control plane: one list for every network. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { PublisherNotFound } from "../../src/domain/Problems.ts"
import type { Publisher } from "../../src/domain/Publication.ts"
import { Api } from "../../src/protocol/http/Api.ts"
import type { FakeControl } from "./fakeControl.ts"

export const publishers = (fake: FakeControl) => HttpApiBuilder.group(Api, "publishers", (handlers) => Effect.succeed(handlers.handleAll({
  list: ({ params }) => Effect.as(fake.world(params.network), fake.publishers),
  allow: Effect.fn(function*({ params }) {
    const value: Publisher = { user: params.user, allowedAt: "2026-01-01T00:00:00.000Z", allowedBy: "admin" }
    fake.publishers.push(value)
    return { value, change: fake.change(yield* fake.world(params.network)) }
  }),
  revoke: Effect.fn(function*({ params }) {
    const value = fake.publishers.find(({ user }) => user === params.user)
    if (value === undefined) return yield* new PublisherNotFound({ detail: `${params.user} is no publisher.`, hint: `gstacks network publisher list ${params.network}` })
    fake.publishers.splice(fake.publishers.indexOf(value), 1)
    return { value, change: fake.change(yield* fake.world(params.network)) }
  })
})))
