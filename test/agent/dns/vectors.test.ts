/** The golden vectors that meshd's answers are tested against hold for the host listener, byte for byte. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { answer, readyZone } from "../../../src/agent/dns/answer.ts"
import { Zone } from "../../../src/protocol/meshd/Messages.ts"

const folder = join(import.meta.dirname, "../../vectors")
const Vectors = Schema.fromJsonString(Schema.Struct({
  zone: Zone, vectors: Schema.Array(Schema.Struct({ name: Schema.String, queryHex: Schema.String, udp: Schema.Boolean, responseHex: Schema.NullOr(Schema.String) }))
}))
const files = readdirSync(folder).filter((name) => /^dns-.*\.json$/.test(name))

describe.each(files)("%s", (file) => {
  const { zone, vectors } = Schema.decodeUnknownSync(Vectors)(readFileSync(join(folder, file), "utf8"))
  const ready = readyZone(zone)
  it.each(vectors.map((vector) => [vector.name, vector] as const))("%s", (_, { queryHex, udp, responseHex }) => {
    assert.strictEqual(answer(ready, Buffer.from(queryHex, "hex"), udp)?.toString("hex") ?? null, responseHex)
  })
})
