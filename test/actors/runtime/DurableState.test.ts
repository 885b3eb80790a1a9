import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { durableState, unchanged } from "../../../src/actors/runtime/DurableState.ts"

const Port = Schema.Struct({ port: Schema.Int, host: Schema.String })
/** Version 0 was the bare number, as text; version 1 had no host. */
const state = durableState({
  machine: "sample", what: "the port", without: "another is taken", schema: Port,
  migrations: [(text: string | number) => ({ port: text === "" ? undefined : Number(text) }), (old: { port: number }) => ({ ...old, host: "localhost" })]
})

const refusal = (text: string): string => {
  const { message, reason } = Result.getOrThrow(Result.flip(state.decode(text)))
  return `${reason}: ${message}`
}

describe("durable state", () => {
  it.prop("comes back as it was stored", [Port], ([value]) => {
    assert.deepStrictEqual(Result.getOrThrow(state.decode(state.encode(value))), { ...value, port: value.port + 0 })
  })

  it("has as many versions as it was migrated", () => {
    assert.strictEqual(state.version, 2)
    assert.strictEqual(state.encode({ port: 1, host: "h" }), `{"machine":"sample","version":2,"state":{"port":1,"host":"h"}}`)
  })

  it("of an older version is migrated step by step", () => {
    for (const text of ["8080", "8080\n", `{"machine":"sample","version":0,"state":"8080"}`, `{"machine":"sample","version":1,"state":{"port":8080}}`]) {
      assert.deepStrictEqual(Result.getOrThrow(state.decode(text)), { port: 8080, host: "localhost" })
    }
  })

  it("from before there were versions may itself have a field of that name", () => {
    const versioned = durableState({ machine: "topology", what: "", without: "", schema: Schema.Struct({ version: Schema.Int }), migrations: [unchanged] })
    assert.deepStrictEqual(Result.getOrThrow(versioned.decode(`{"version":7}`)), { version: 7 })
  })

  it("of a newer version is told from a damaged one", () => {
    assert.strictEqual(refusal(`{"machine":"sample","version":3,"state":{}}`), "newer: the state of sample cannot be used: it has version 3, and this program knows up to 2")
    assert.strictEqual(refusal(`{"machine":"other","version":2,"state":{}}`), "damaged: the state of sample cannot be used: it is another machine's")
    assert.strictEqual(refusal(`{"machine":"sample","version":2,"state":{"port":"secret"}}`), "damaged: the state of sample cannot be used: it is not what version 2 was")
    assert.strictEqual(refusal(`{"machine":"sample","version":1,"state":null}`), "damaged: the state of sample cannot be used: it is not what version 1 was")
  })

  it("that is cut off anywhere is damaged, never something else", () => {
    const text = state.encode({ port: 8080, host: "localhost" })
    for (let length = 0; length < text.length; length++) assert.match(refusal(text.slice(0, length)), /^damaged: /)
  })
})
