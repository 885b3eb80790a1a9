/** The typed client of one agent, whose requests leave through an outbox (the `Attach` stream) and whose answers come back as `Reply`. */
import { type Cause, Effect, Queue, type Schema, type Scope } from "effect"
import { RpcClient, type RpcMessage, RpcSerialization } from "effect/rpc"
import type { AgentName } from "../../domain/DnsLabel.ts"
import { AgentRpcs } from "../../protocol/agent/AgentRpcs.ts"
import { Refusals } from "../Refusals.ts"
import type { AgentClient } from "../Sessions.ts"

/** Calls that may wait for a slow connection. An agent that is further behind is dropped: it gets a fresh snapshot when it returns. */
const outboxLimit = 512

export interface ReverseClient {
  readonly client: AgentClient
  readonly outbox: Queue.Dequeue<Schema.Json, Cause.Done>
  readonly deliver: (message: RpcMessage.FromServerEncoded) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

/** Which calls may be answered. An agent that was told to stop may have answered already: nobody waits for that answer. */
const track = (open: Set<string | number>, request: RpcMessage.FromClientEncoded): void => {
  if (request._tag === "Request") open.add(request.id)
  if (request._tag === "Interrupt") open.delete(request.requestId)
}

export const makeReverseClient = Effect.fnUntraced(function*(agent: { readonly name: AgentName }): Effect.fn.Return<ReverseClient, never, Refusals | Scope.Scope> {
  const refusals = yield* Refusals
  const outbox = yield* Effect.acquireRelease(Queue.dropping<Schema.Json, Cause.Done>(outboxLimit), Queue.shutdown)
  const close = Effect.asVoid(Queue.end(outbox))
  let deliver: ReverseClient["deliver"] = () => Effect.void
  const protocol = yield* RpcClient.Protocol.make((write, ids) => {
    const open = new Set<string | number>()
    const isAnswer = (message: RpcMessage.FromServerEncoded | null): boolean => {
      if (message?._tag === "Exit") return open.delete(message.requestId)
      return message?._tag === "Chunk" ? open.has(message.requestId) : message?._tag === "Defect"
    }
    deliver = (message) => {
      if (!isAnswer(message)) return refusals.note(agent.name, "answer", `Agent "${agent.name}" answered what it was not asked, or was no longer asked; the answer was refused.`)
      return Effect.forEach([...ids], (id) => write(id, message), { discard: true })
    }
    return Effect.succeed({
      send: (_id: number, request: RpcMessage.FromClientEncoded) => Effect.flatMap(Effect.andThen(Effect.sync(() => track(open, request)), Queue.offer(outbox, request as unknown as Schema.Json)), (taken) =>
        taken ? Effect.void : Effect.andThen(Effect.logWarning(`Agent "${agent.name}" does not keep up with its messages; its connection is closed.`), close)),
      supportsAck: true, supportsTransferables: false, codecFor: RpcSerialization.json.codecFor
    })
  })
  const client = yield* RpcClient.make(AgentRpcs, { disableTracing: true }).pipe(Effect.provideService(RpcClient.Protocol, protocol))
  return { client, outbox, deliver: (message) => deliver(message), close }
})
