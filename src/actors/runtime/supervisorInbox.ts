/**
 * What a supervisor is asked and told, one message at a time. Promises that every request is
 * answered, also when the supervisor stops before it gets to it or half way through.
 */
import { Deferred, Effect, Exit, Queue } from "effect"
import type { AddressGone, AlreadyStarted } from "./ActorErrors.ts"
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

  constructor(messages: Queue.Queue<Message>, gone: () => AddressGone) {
    this.#messages = messages
    this.#gone = gone
  }

  get take(): Effect.Effect<Message> {
    return Queue.take(this.#messages)
  }

  /** Without effect once it is closed. */
  tell(message: Message): void {
    Queue.offerUnsafe(this.#messages, message)
  }

  ask(make: (reply: Reply) => Message): Effect.Effect<void, AlreadyStarted | AddressGone> {
    return Effect.suspend(() => {
      const reply: Reply = Deferred.makeUnsafe()
      return Queue.offerUnsafe(this.#messages, make(reply)) ? Deferred.await(reply) : Effect.fail(this.#gone())
    })
  }

  /** Does what was asked, and answers with how it went. */
  answer(reply: Reply, work: Effect.Effect<void, AlreadyStarted>): Effect.Effect<void> {
    return Effect.exit(work).pipe(
      Effect.flatMap((exit) => Deferred.done(reply, exit)),
      Effect.ensuring(Effect.suspend(() => Deferred.fail(reply, this.#gone())))
    )
  }

  close(): void {
    for (let next = Queue.takeUnsafe(this.#messages); next !== undefined && Exit.isSuccess(next); next = Queue.takeUnsafe(this.#messages)) {
      if ("reply" in next.value) Deferred.doneUnsafe(next.value.reply, Effect.fail(this.#gone()))
    }
    Queue.shutdownUnsafe(this.#messages)
  }
}
