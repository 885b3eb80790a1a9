/** Standard input to its end, as text; reading stops a little after `maxBytes`. */
import { Effect } from "effect"
import { Shell } from "./Shell.ts"

export const piped = Effect.fnUntraced(function*(maxBytes: number) {
  const { read } = yield* Shell
  const chunks: Array<Uint8Array> = []
  let size = 0
  for (let bytes = yield* read; bytes !== null && size <= maxBytes; bytes = yield* read) {
    chunks.push(bytes)
    size += bytes.byteLength
  }
  return Buffer.concat(chunks).toString("utf8")
})
