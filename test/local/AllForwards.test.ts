import { assert, describe, it } from "@effect/vitest"
import { AliasName, Port } from "../../src/domain/DnsLabel.ts"
import { missing } from "../../src/local/AllForwards.ts"

const of = (...names: ReadonlyArray<string>) => names.map((name) => {
  const [alias = "", port = ""] = name.split(":")
  return { alias: AliasName.make(alias), port: Port.make(Number(port)) }
})
const told = (reachable: ReadonlyArray<string>, there: ReadonlyArray<string> = []) =>
  missing(of(...reachable), of(...there)).map(({ alias, listen, port }) => `${alias}:${port} at ${listen ?? "its own port"}`)

describe("what is still to be forwarded of a whole network", () => {
  it("is what the policy permits beside what is there", () => {
    assert.deepStrictEqual(told(["web:80", "api:8080"]), ["api:8080 at its own port", "web:80 at its own port"])
    assert.deepStrictEqual(told(["web:80", "api:8080"], ["api:8080"]), ["web:80 at its own port"])
    assert.deepStrictEqual(told(["api:8080"], ["api:8080", "gone:1"]), [])
  })

  it("gives a port that several have to one of them, whatever the order", () => {
    const expected = ["api:8080 at its own port", "web:8080 at 127.0.0.1:0"]
    assert.deepStrictEqual(told(["api:8080", "web:8080"]), expected)
    assert.deepStrictEqual(told(["web:8080", "api:8080"]), expected)
    assert.deepStrictEqual(told(["api:8080"], ["web:8080"]), ["api:8080 at 127.0.0.1:0"])
  })

  it("is bounded", () => {
    const many = Array.from({ length: 600 }, (_, port) => `api:${port + 1}`)
    assert.strictEqual(told(many).length, 512)
    assert.strictEqual(told(many, many.slice(0, 512)).length, 0)
  })
})
