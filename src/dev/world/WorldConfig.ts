/** What the starter tells the world's first process, and what that reports back, one JSON document a line on its standard output. */
import { Schema } from "effect"

export const WorldConfig = Schema.Struct({
  stateDir: Schema.String,
  runtimeDir: Schema.String,
  hosts: Schema.Array(Schema.String),
  /** Folders of the user's that no sandbox may see, besides the cluster's own. */
  hide: Schema.Array(Schema.String),
  /** The folder that has the bundles. */
  bundles: Schema.String,
  /** Settings that every process of the cluster gets beside its own. */
  env: Schema.Record(Schema.String, Schema.String)
})
export type WorldConfig = typeof WorldConfig.Type

export const WorldEvent = Schema.Union([
  Schema.TaggedStruct("Step", { text: Schema.String }),
  Schema.TaggedStruct("Ready", {}),
  Schema.TaggedStruct("Failed", { message: Schema.String, hint: Schema.String })
])
export type WorldEvent = typeof WorldEvent.Type

export const ProcessState = Schema.Struct({
  role: Schema.String,
  host: Schema.NullOr(Schema.String),
  /** As the world numbers it; null while it does not run. */
  pid: Schema.NullOr(Schema.Int),
  state: Schema.Literals(["running", "restarting", "stopped"]),
  restarts: Schema.Int,
  lastExit: Schema.NullOr(Schema.String)
})
export type ProcessState = typeof ProcessState.Type

/** world.json in the runtime folder: rewritten whole at every change. Namespaces are named as /proc names them, `net:[4026532008]`. */
export const WorldState = Schema.Struct({
  pidNamespace: Schema.String,
  networks: Schema.Record(Schema.String, Schema.String),
  processes: Schema.Array(ProcessState)
})
export type WorldState = typeof WorldState.Type
