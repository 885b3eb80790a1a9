import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { AliasName, Labels, Port } from "../../src/domain/DnsLabel.ts"
import { makeId, SandboxId } from "../../src/domain/Ids.ts"
import { exitCodeOf } from "../../src/domain/Problems.ts"
import { parseSelector } from "../../src/domain/Selector.ts"
import { candidates, reverseName, VirtualAddress } from "../../src/domain/VirtualAddress.ts"

const accepts = <S extends Schema.Codec<unknown, unknown>>(schema: S, value: unknown): boolean => Schema.is(schema)(value)

describe("names", () => {
  it("an alias is one DNS label", () => {
    for (const good of ["a", "api", "a-1", "x".repeat(63)]) assert.isTrue(accepts(AliasName, good), good)
    for (const bad of ["", "-a", "a-", "A", "1a", "a.b", "a_b", "x".repeat(64), "api\n", "münchen"]) assert.isFalse(accepts(AliasName, bad), bad)
  })

  it("a port is an integer from 1 to 65535", () => {
    for (const good of [1, 8080, 65535]) assert.isTrue(accepts(Port, good))
    for (const bad of [0, -1, 65536, 1.5, NaN, "80"]) assert.isFalse(accepts(Port, bad))
  })

  it("labels have bounded keys and values", () => {
    assert.isTrue(accepts(Labels, { team: "blue", "app.kubernetes.io/name": "x", empty: "" }))
    assert.isFalse(accepts(Labels, { "Team": "blue" }))
    assert.isFalse(accepts(Labels, { team: "a b" }))
  })

  it.effect("ids sort by time of creation and do not repeat", () => Effect.gen(function*() {
    const ids: Array<string> = []
    for (let i = 0; i < 200; i++) {
      ids.push(yield* makeId(SandboxId, "sbx"))
      yield* TestClock.adjust("1 milli")
    }
    assert.deepStrictEqual([...ids].sort(), ids)
    assert.strictEqual(new Set(ids).size, ids.length)
  }))

  it("exit codes follow from the problem's status", () => {
    assert.deepStrictEqual([400, 404, 401, 409, 503].map(exitCodeOf), [2, 3, 4, 1, 1])
  })
})

describe("selectors", () => {
  const parsed = (text: string) => Option.getOrUndefined(parseSelector(text))
  it("reads every form", () => {
    assert.deepStrictEqual(parsed("local"), { _tag: "Local" })
    assert.deepStrictEqual(parsed("any"), { _tag: "Any" })
    assert.deepStrictEqual(parsed("*"), { _tag: "Any" })
    assert.deepStrictEqual(parsed("sandbox:web"), { _tag: "Sandbox", ref: "web" })
    assert.deepStrictEqual(parsed("sandbox:sbx_01m86hbdkrzbhfgh7v"), { _tag: "Sandbox", ref: "sbx_01m86hbdkrzbhfgh7v" })
    assert.deepStrictEqual(parsed("alias:api"), { _tag: "Alias", name: "api" })
    assert.deepStrictEqual(parsed("api"), { _tag: "Alias", name: "api" })
    assert.deepStrictEqual(parsed("label:team=blue"), { _tag: "Label", key: "team", value: "blue" })
    assert.deepStrictEqual(parsed("label:team="), { _tag: "Label", key: "team", value: "" })
  })
  it("refuses what is none", () => {
    for (const text of ["", "sandbox:", "sandbox:A b", "label:team", "label:=x", "user:me", "alias:", "a b", "label:team=a b"]) assert.isUndefined(parsed(text), text)
  })
})

describe("virtual addresses", () => {
  it("are deterministic, in range, and probe without repeating", () => {
    const first = (name: string, n: number) => {
    const all = candidates(name); return Array.from({ length: n }, () => String(all.next().value))
  }
    const some = first("api.dev.gstacks", 2000)
    assert.deepStrictEqual(first("api.dev.gstacks", 5), some.slice(0, 5))
    assert.strictEqual(new Set(some).size, 2000)
    for (const address of some) {
      assert.isTrue(Schema.is(VirtualAddress)(address), address)
      assert.isFalse(address.startsWith("127.64.0."), address)
    }
  })
  it("wrap round without touching the reserved block", () => {
    let count = 0, reserved = 0
    for (const address of candidates("x.y.gstacks")) { count++; if (address.startsWith("127.64.0.")) reserved++ }
    assert.deepStrictEqual([count, reserved], [2 ** 22 - 256, 0])
  })
  it("are told from other addresses", () => {
    for (const bad of ["127.63.0.1", "127.128.0.1", "10.0.0.1", "127.64.0.256", "127.64.0"]) assert.isFalse(Schema.is(VirtualAddress)(bad), bad)
  })
  it("have a PTR name", () => assert.strictEqual(reverseName("127.64.1.2"), "2.1.64.127.in-addr.arpa"))
})
