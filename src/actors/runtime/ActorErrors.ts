/**
 * The failures a caller of the actor runtime can act on. Everything else that goes wrong inside an
 * actor is a crash: its supervisor deals with it and the caller never sees it.
 */
import { Schema } from "effect"

export const GoneReason = Schema.Literals(["unknown", "restarting", "stopping", "ended", "supervisor", "machine"])
export type GoneReason = typeof GoneReason.Type

const goneText: Record<GoneReason, string> = {
  unknown: "no actor has this address",
  restarting: "it crashed and its supervisor has not started it again yet",
  stopping: "it is being stopped",
  ended: "it has reached its final state",
  supervisor: "it is a supervisor, which takes no events",
  machine: "it is a machine, which has no children"
}

/** No running actor has this address now. */
export class AddressGone extends Schema.TaggedError<AddressGone>()("AddressGone", {
  address: Schema.String,
  reason: GoneReason
}) {
  readonly code = "AddressGone"
  readonly hint = "gstacks debug actors"
  override get message() {
    return `Actor "${this.address}" cannot be reached: ${goneText[this.reason]}.`
  }
}

/** The actor does not keep up: its mailbox holds as many events as it may. The event was not taken. */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  address: Schema.String,
  capacity: Schema.Number,
  event: Schema.String
}) {
  readonly code = "MailboxFull"
  get hint() {
    return `gstacks debug actor ${this.address}`
  }
  override get message() {
    return `Actor "${this.address}" did not take event "${this.event}": its mailbox is full (${this.capacity} events). Send it again later.`
  }
}

/** A living child has this id already. */
export class AlreadyStarted extends Schema.TaggedError<AlreadyStarted>()("AlreadyStarted", {
  address: Schema.String
}) {
  readonly code = "AlreadyStarted"
  readonly hint = "gstacks debug actors"
  override get message() {
    return `Actor "${this.address}" is running already. Stop it first to replace it.`
  }
}

/** A supervisor gave up: more restarts than its intensity allows. */
export class SupervisorFailed extends Schema.TaggedError<SupervisorFailed>()("SupervisorFailed", {
  address: Schema.String,
  child: Schema.String,
  restarts: Schema.Number,
  withinMs: Schema.Number,
  reason: Schema.String
}) {
  readonly code = "SupervisorFailed"
  get hint() {
    return `gstacks debug actor ${this.child}`
  }
  override get message() {
    return `Supervisor "${this.address}" gave up: more than ${this.restarts} restarts within ${this.withinMs} ms. `
      + `The last was of "${this.child}": ${this.reason}`
  }
}
