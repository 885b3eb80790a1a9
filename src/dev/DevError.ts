/** What went wrong with a cluster, in words its user understands, and the next thing to do. */
import { Schema } from "effect"

export class DevError extends Schema.TaggedError<DevError>()("DevError", {
  message: Schema.String,
  hint: Schema.String
}) {}
