import { assert, describe, it } from "@effect/vitest"
import { type AliasMetrics, bounds, counted, countOf, opened, quantile, together, withCarried, withOpen } from "../../src/domain/AliasMetrics.ts"
import { openMetrics } from "../../src/domain/AliasMetrics/openMetrics.ts"
import { groupOf } from "../../src/domain/Flow/groups.ts"
import { AliasId } from "../../src/domain/Ids.ts"
import { aliasId, flow, netId, refusal } from "../harness/sampleFlows.ts"

const count = (...records: ReadonlyArray<Parameters<typeof counted>[1]>): AliasMetrics | undefined => records.reduce<AliasMetrics | undefined>(counted, undefined)

describe("metrics of aliases", () => {
  it("count a stream once, where it comes from, or where it goes to from a developer's machine", () => {
    const fromMachine = flow({ seenBy: ["target"], sourceId: "lcl_000000000000000001", source: "local:ann", end: "reset", connectMicros: null })
    const metrics = count(flow(), flow({ seenBy: ["target"] }), fromMachine, flow({ seenBy: ["source", "target"], end: "refused" }), flow({ closedAt: null, end: null }))!
    assert.deepStrictEqual(metrics.streams, { eof: 1, reset: 1, revoked: 0, refused: 1, unreachable: 0, limit: 0, stopped: 0 })
    assert.deepStrictEqual([metrics.bytesToTarget, metrics.bytesToSource, countOf(metrics.connect), countOf(metrics.firstByte)], [234, 39_600, 2, 3])
  })

  it("count what the source's host refused, of aliases that are known", () => {
    assert.strictEqual(count(refusal(), refusal({ count: 4 }), refusal({ by: "target" }))!.refusals, 7)
    assert.isUndefined(count(refusal({ aliasId: null })))
  })

  it("count what is open, and what it has carried until now", () => {
    const still = flow({ closedAt: null, end: null })
    const [atTarget, fromMachine] = [flow({ seenBy: ["target"] }), flow({ seenBy: ["target"], sourceId: "lcl_000000000000000001" })]
    const metrics = withCarried(withCarried(withOpen(opened(count(flow()), still), { ...groupOf(still), count: 4 }), still), still)!
    assert.deepStrictEqual([metrics.opened, metrics.open, metrics.streams.eof, metrics.bytesToTarget], [1, 4, 1, 3 * 78])
    for (const how of [opened, withCarried, (before: undefined, one: typeof still) => withOpen(before, groupOf(one))]) {
      assert.isUndefined(how(undefined, atTarget))
      assert.isDefined(how(undefined, fromMachine))
    }
    const { open: _, opened: __, ...older } = metrics
    assert.deepInclude(together([metrics, older])[0], { opened: 1, open: 4, bytesToTarget: 6 * 78 })
  })

  it("add up over agents, by alias", () => {
    const other = AliasId.make(aliasId.replace(/.$/, "2"))
    const all = together([count(flow(), refusal())!, { ...count(flow())!, aliasId: other, alias: "a" }, count(flow({ connectMicros: 3e6 }))!])
    assert.deepStrictEqual(all.map(({ alias, streams, refusals, connect }) => [alias, streams.eof, refusals, countOf(connect), connect.sumMicros]), [["a", 1, 0, 1, 850], ["api", 2, 3, 2, 3_000_850]])
  })

  it("streams that ended at a limit are counted by source, a hundred of them apart", () => {
    const ended = Array.from({ length: 150 }, (_, n) => flow({ end: "limit", source: `sandbox:s${n}` }))
    const metrics = count(...ended, ended[0]!, flow({ end: "eof" }))!
    assert.deepStrictEqual([Object.keys(metrics.limited!).length, metrics.limited!["sandbox:s0"], metrics.limited!["others"]], [101, 2, 50])
    const [both] = together([metrics, count(ended[0]!)!, count(flow())!])
    assert.deepStrictEqual([both!.limited!["sandbox:s0"], both!.limited!["others"]], [3, 50])
    assert.isUndefined(count(flow())!.limited)
    assert.include(openMetrics([count(ended[7]!)!], new Map()), `alias="api",source="sandbox:s7"} 1\n`)
  })

  it("quantiles are bounds of buckets", () => {
    const { connect } = count(...[50, 100, 101, 900, 9e6].map((connectMicros) => flow({ connectMicros })))!
    assert.deepStrictEqual([0, 0.4, 0.5, 0.8, 0.99].map((share) => quantile(connect, share)), [100, 100, 250, 1000, Infinity])
    assert.isUndefined(quantile({ buckets: [...bounds.map(() => 0), 0], sumMicros: 0 }, 0.5))
  })

  it("as OpenMetrics: what agents sent and was refused, where there is any", () => {
    assert.notInclude(openMetrics([], new Map()), "refused_messages")
    assert.include(openMetrics([], new Map(), [{ agent: "host-1", kind: "connection", count: 2 }]), 'gstacks_refused_messages_total{agent="host-1",kind="connection"} 2\n# EOF\n')
  })

  it("as OpenMetrics: cumulative buckets, seconds, escaped labels, an end", () => {
    const text = openMetrics([count(flow({ alias: "a\"\\\n" }), flow({ alias: "a\"\\\n", connectMicros: 3e6 }))!], new Map([[netId, "dev"]]))
    const alias = `network="dev",alias="a\\"\\\\\\n"`
    for (const line of [
      "# TYPE gstacks_open_streams gauge", `gstacks_open_streams{${alias}} 0`, `gstacks_opened_streams_total{${alias}} 0`,
      "# TYPE gstacks_streams counter", `gstacks_streams_total{${alias},end="eof"} 2`, `gstacks_refusals_total{${alias}} 0`, "# UNIT gstacks_stream_bytes bytes",
      `gstacks_stream_bytes_total{${alias},to="source"} 26400`, `gstacks_connect_seconds_bucket{${alias},le="0.0005"} 0`, `gstacks_connect_seconds_bucket{${alias},le="0.001"} 1`,
      `gstacks_connect_seconds_bucket{${alias},le="2.5"} 1`, `gstacks_connect_seconds_bucket{${alias},le="+Inf"} 2`, `gstacks_connect_seconds_count{${alias}} 2`, `gstacks_connect_seconds_sum{${alias}} 3.00085`
    ]) assert.include(text, `${line}\n`)
    assert.isTrue(text.endsWith("# EOF\n"))
    assert.isTrue(text.split("\n").every((line) => /^(# |gstacks_[a-z_]+\{[^\n]*\} [0-9.]+$|$)/.test(line)))
  })
})
