/**
 * What a supervisor is asked and told, one message at a time. Promises that every request is
 * answered, also when the supervisor stops before it gets to it or half way through. As many requests
 * may wait as a mailbox holds: then a start is refused, and a stop, which must not be lost, waits for
 * room. What its children tell is bounded by their number.
 */
import { Deferred, Effect, Exit, Queue, Semaphore } from "effect"
import { type AddressGone, type AlreadyStarted, MailboxFull } from "./ActorErrors.ts"
import type { ChildSpec } from "./ChildSpec.ts"
import type { Child } from "./ChildTable.ts"
import type { Outcome } from "./Process.ts"

type Reply = Deferred.Deferred<void, AlreadyStarted | AddressGone>

export type Message =
  | { readonly _tag: "ChildEnded"; readonly child: Child; readonly incarnation: number; readonly outcome: Outcome }
  | { readonly _tag: "RestartDue"; readonly restart: symbol }
  | { readonly _tag: "StartChild"; readonly spec: ChildSpec; readonly reply: Reply }
  | { readonly _tag: "StopChild"; readonly id: string; readonly reply: Reply }

export class SupervisorInbox {
  readonly #messages: Queue.Queue<Message>
  readonly #gone: () => AddressGone
  readonly #address: string
  readonly #capacity: number
  readonly #room: Semaphore.Semaphore

  constructor(messages: Queue.Queue<Message>, address: string, capacity: number, gone: () => AddressGone) {
    this.#messages = messages
    this.#address = address
    this.#capacity = capacity
    this.#room = Semaphore.makeUnsafe(capacity)
    this.#gone = gone
  }

  get take(): Effect.Effect<Message> {
    return Queue.take(this.#messages)
  }

  /** Without effect once it is closed. */
  tell(message: Message): void {
    Queue.offerUnsafe(this.#messages, message)
  }

  start(spec: ChildSpec): Effect.Effect<void, AlreadyStarted | AddressGone | MailboxFull> {
    return Effect.uninterruptibleMask((restore) => Effect.flatMap(this.#room.takeIfAvailable(1), (isRoom): ReturnType<SupervisorInbox["start"]> => isRoom
      ? this.#ask((reply) => ({ _tag: "StartChild", spec, reply }), restore)
      : new MailboxFull({ address: this.#address, capacity: this.#capacity, event: `start ${spec.id}` })))
  }

  stop(id: string): Effect.Effect<void, AlreadyStarted | AddressGone> {
    return Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(this.#room.take(1)), () =>
      this.#ask((reply) => ({ _tag: "StopChild", id, reply }), restore)))
  }

  /** Its room is free again when it has been dealt with, also when nobody waits for the answer any more. */
  #ask(make: (reply: Reply) => Message, restore: <A, E>(wait: Effect.Effect<A, E>) => Effect.Effect<A, E>): Effect.Effect<void, AlreadyStarted | AddressGone> {
    return Effect.suspend(() => {
      const reply: Reply = Deferred.makeUnsafe()
      return Queue.offerUnsafe(this.#messages, make(reply))
        ? restore(Deferred.await(reply))
        : Effect.andThen(this.#room.release(1), Effect.fail(this.#gone()))
    })
  }

  /** Does what was asked, and answers with how it went. */
  answer(reply: Reply, work: Effect.Effect<void, AlreadyStarted>): Effect.Effect<void> {
    return Effect.exit(work).pipe(
      Effect.flatMap((exit) => Deferred.done(reply, exit)),
      Effect.ensuring(Effect.suspend(() => Deferred.fail(reply, this.#gone()))),
      Effect.ensuring(this.#room.release(1))
    )
  }

  close(): void {
    for (let next = Queue.takeUnsafe(this.#messages); next !== undefined && Exit.isSuccess(next); next = Queue.takeUnsafe(this.#messages)) {
      if (!("reply" in next.value)) continue
      Deferred.doneUnsafe(next.value.reply, Effect.fail(this.#gone()))
      Effect.runSync(this.#room.release(1))
    }
    Queue.shutdownUnsafe(this.#messages)
  }
}
