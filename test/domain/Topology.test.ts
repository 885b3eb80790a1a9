import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { diff, patch, Topology, TopologyDelta } from "../../src/domain/Topology.ts"
import { Draft, topologyOf } from "./topologies.ts"

describe("Topology", () => {
  it.prop("a delta takes the old topology to the new one, over the wire too", [Draft, Draft], ([a, b]) => {
    const before = topologyOf(a)
    const after = { ...topologyOf(b), version: before.version + 1 }
    const wire = Schema.decodeUnknownSync(TopologyDelta)(JSON.parse(JSON.stringify(Schema.encodeSync(TopologyDelta)(diff(before, after)))))
    assert.deepStrictEqual(Option.getOrThrow(patch(before, wire)), after)
  }, { arbitrary: { runs: 300 } })

  it.prop("a delta for another version is refused", [Draft, Draft], ([a, b]) => {
    const before = topologyOf(a)
    const delta = diff({ ...before, version: before.version + 1 }, { ...topologyOf(b), version: before.version + 2 })
    assert.isTrue(Option.isNone(patch(before, delta)))
  })

  it.prop("nothing changed, nothing sent", [Draft], ([a]) => {
    const topology = topologyOf(a)
    const delta = diff(topology, { ...topology, version: topology.version + 1 })
    for (const part of [delta.aliases, delta.members, delta.agents, delta.rules, delta.localNodes]) assert.deepStrictEqual(part, { upsert: [], remove: [] })
  })

  it.prop("survives encoding", [Draft], ([a]) => {
    const topology = topologyOf(a)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Topology)(Schema.encodeSync(Topology)(topology)), topology)
  })
})
