/**
 * Looking into the actors of one process: merged into the agent's local socket (`LocalRpcs`) and into what the control plane may ask an
 * agent (`AgentRpcs`). Nothing is pushed: who looks asks for the next page when it has read the last, so a reader that stops costs nothing.
 */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { ActorDetail, ActorState, Chart, JournalPage } from "../../domain/Sight.ts"

export class NoSuchActor extends Schema.TaggedError<NoSuchActor>()("NoSuchActor", { message: Schema.String, hint: Schema.String }) {}

/** Which entries: of one address and all below it (default all), after a sequence number (default: the oldest kept). */
export const JournalQuery = {
  prefix: Schema.optionalKey(Schema.String),
  after: Schema.optionalKey(Schema.Int),
  /** Of the process that gave that number, as its page said. Another one answers at once, from the oldest kept. */
  instance: Schema.optionalKey(Schema.String),
  /** At most so many, default and most 1,000. */
  limit: Schema.optionalKey(Schema.Int),
  /** How long to wait for a first entry when there is none, default 0, most 30,000. */
  waitMs: Schema.optionalKey(Schema.Int)
}
export type JournalRequest = Schema.Struct.Type<typeof JournalQuery>

export class SightRpcs extends RpcGroup.make(
  Rpc.make("Actors", { success: Schema.Array(ActorState) }),
  Rpc.make("Actor", { payload: { address: Schema.String }, success: ActorDetail, error: NoSuchActor }),
  /** Of every machine that runs in this process. */
  Rpc.make("Charts", { success: Schema.Array(Chart) }),
  Rpc.make("Journal", { payload: JournalQuery, success: JournalPage })
) {}
