/** The formats: YAML reads back as what it was, tables are aligned ASCII, durations and waits are said in words. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { age } from "../../src/cli/commands/debug/tree.ts"
import { describeReceipt } from "../../src/cli/Changes.ts"
import { contactOf } from "../../src/domain/Contact.ts"
import { describeContact, durationText } from "../../src/cli/output/contact.ts"
import { parseUrl } from "../../src/cli/ControlApi/client.ts"
import { parseDuration, wantsJson } from "../../src/cli/GlobalFlags.ts"
import { properties, table } from "../../src/cli/output/table.ts"
import { yaml } from "../../src/cli/output/yaml.ts"
import { parseBind } from "../../src/cli/words.ts"
import { Receipt } from "../../src/domain/Receipt.ts"

describe("yaml", () => {
  it("is block style", () => {
    assert.strictEqual(yaml([{ name: "dev", labels: { a: "b" }, ports: [80, 81], none: [], nothing: {}, gone: null }]),
      "- name: dev\n  labels:\n    a: b\n  ports:\n    - 80\n    - 81\n  none: []\n  nothing: {}\n  gone: null\n")
    assert.strictEqual(yaml([[1, 2], [3]]), "- - 1\n  - 2\n- - 3\n")
    assert.strictEqual(yaml([]), "[]\n")
  })
  it("quotes what could be read as something else", () => {
    for (const text of ["", "yes", "No", "null", "1", "1e3", "a: b", "# x", "- x", " x", "x ", "a\nb", "*", "@x", "2026-01-01", "~", "é"]) {
      assert.strictEqual(yaml({ v: text }), `v: ${JSON.stringify(text)}\n`)
    }
    for (const text of ["web", "api.dev.gstacks", "/data/x", "sbx_01"]) assert.strictEqual(yaml({ v: text }), `v: ${text}\n`)
  })
})

describe("table", () => {
  it("aligns, keeps headers, shows nothing as a dash and leaves no trailing spaces", () => {
    const text = table([["NAME", (r) => r.name], ["N", (r) => r.n], ["LAST", (r) => r.last]], [{ name: "a", n: 10, last: null }, { name: "longer", n: 0, last: "x y" }])
    assert.strictEqual(text, "NAME    N   LAST\na       10  -\nlonger  0   x y\n")
    assert.strictEqual(table([["REASON", (r) => r]], ["\u001b[31mred\nline\u009b"]), "REASON\n\\x1b[31mred\\x0aline\\x9b\n", "nothing is obeyed by the terminal")
    assert.strictEqual(table([["N", (r) => r]], Array.from({ length: 200_000 }, (_, i) => i)).length, 1_288_892, "a recording can be long")
    assert.strictEqual(properties([["Name", "x"], ["Longer", ""]]), "Name:    x\nLonger:  -\n")
  })
})

describe("words", () => {
  it("durations", () => {
    assert.deepStrictEqual(["500ms", "30s", "2m", "1h", "7d", "5", "0s"].map(parseDuration), [500, 30_000, 120_000, 3_600_000, 604_800_000, 5_000, 0])
    assert.deepStrictEqual(["", "s", "1w", "-1s", "1.5s", "1 s"].map(parseDuration), Array(6).fill(undefined))
    assert.deepStrictEqual([0, 119_000, 120_000, 7_200_000].map(age), ["0 s", "119 s", "2 min", "2 h"])
  })
  it("binds are absolute on both sides", () => {
    assert.deepStrictEqual(parseBind("/a:/b:rw"), { source: "/a", target: "/b", writable: true })
    assert.deepStrictEqual(parseBind("/a:/b:ro"), { source: "/a", target: "/b", writable: false })
    assert.deepStrictEqual(["/a", "a:/b", "/a:b", "/a:/b:x", "/a:/b:rw:x", ""].map(parseBind), Array(6).fill(undefined))
  })
  it("addresses of a control plane", () => {
    assert.deepStrictEqual(parseUrl("unix:/run/x.sock"), { base: "http://localhost", socketPath: "/run/x.sock" })
    assert.deepStrictEqual(parseUrl("https://c.example.com/gs/"), { base: "https://c.example.com/gs", socketPath: undefined })
    assert.deepStrictEqual(["", "c.example.com", "unix:rel", "ftp://x", "file:///x"].map(parseUrl), Array(5).fill(undefined))
  })
  it("--json is seen before anything is parsed, but never after --", () => {
    for (const line of ["--json", "network list -o json", "x --output json", "x --output=json"]) assert.isTrue(wantsJson(line.split(" ")), line)
    for (const line of ["", "-o yaml", "sandbox run x -- a --json", "x -- -o json", "json"]) assert.isFalse(wantsJson(line.split(" ")), line)
  })
})

describe("contact", () => {
  const day = 86_400_000
  const at = (last: number, now: number, inTouch = false) => describeContact(contactOf({ inTouch, last, limitMs: day }, now), now)
  it("says what goes on, and what stops when", () => {
    assert.strictEqual(at(day, day, true), "in touch; without the control plane new connections go on for 1d")
    assert.strictEqual(at(day, day + 180_000), "out of touch for 3m, since 1970-01-02T00:00:00.000Z: new connections are refused from 1970-01-03T00:00:00.000Z on, in 23h57m; open ones live on")
    assert.strictEqual(at(day, 2 * day + 3_600_000), "out of touch for 1d1h, since 1970-01-02T00:00:00.000Z, the limit is 1d: new connections are refused, open ones live on")
    assert.strictEqual(at(0, day), "never in touch yet: new connections are refused")
  })
  it("a clock that was set back leaves nobody knowing how old it is", () => {
    assert.isTrue(contactOf({ inTouch: false, last: 2 * day, limitMs: day }, day).frozen)
    assert.isFalse(contactOf({ inTouch: false, last: day + 60_000, limitMs: day }, day).frozen)
  })
  it("durations in their two greatest units", () => {
    assert.deepStrictEqual([0, 400, 59_000, 60_000, 3_601_000, 90_061_000].map(durationText), ["0s", "0s", "59s", "1m", "1h", "1d1h"])
  })
})

describe("receipts", () => {
  const receipt = (more: object) => Schema.decodeUnknownSync(Receipt)({
    networkId: "net_000000000000000000", network: "dev", version: 7, applied: 2, participants: 2, elapsedMs: 40.6, pending: [], ...more
  })
  it("are one line", () => {
    assert.strictEqual(describeReceipt(receipt({})), "topology v7 applied by 2/2 agents in 41 ms")
    assert.strictEqual(describeReceipt(receipt({ elapsedMs: null })), "topology v7 applied by 2/2 agents")
    assert.strictEqual(describeReceipt(receipt({ applied: 0, pending: [{ agent: "host-1", online: true, reason: "meshd is away" }, { agent: "host-2", online: false, reason: "is not connected" }] })),
      "topology v7 applied by 0/2 agents; pending: host-1 (meshd is away), host-2 (offline)")
  })
  it("tell of the connections that a change has closed, if any", () => {
    const closed = (connections: number, lastByteMs: number | null) => ({ closed: { connections, lastByteMs, agents: [] } })
    assert.strictEqual(describeReceipt(receipt(closed(0, null))), "topology v7 applied by 2/2 agents in 41 ms")
    assert.strictEqual(describeReceipt(receipt(closed(1, 10.7))), "topology v7 applied by 2/2 agents in 41 ms; 1 connection closed, last byte 11 ms after commit")
    assert.strictEqual(describeReceipt(receipt({ ...closed(3, null), applied: 1, pending: [{ agent: "host-2", online: false, reason: "is not connected" }] })),
      "topology v7 applied by 1/2 agents; 3 connections closed; pending: host-2 (offline)")
  })
})
