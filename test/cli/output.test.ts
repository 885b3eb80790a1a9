/** The formats: YAML reads back as what it was, tables are aligned ASCII, durations and waits are said in words. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { age } from "../../src/cli/commands/debug/actors.ts"
import { describeReceipt } from "../../src/cli/Changes.ts"
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
    assert.strictEqual(properties([["Name", "x"], ["Longer", ""]]), "Name:    x\nLonger:  -\n")
  })
})

describe("words", () => {
  it("durations", () => {
    assert.deepStrictEqual(["500ms", "30s", "2m", "5", "0s"].map(parseDuration), [500, 30_000, 120_000, 5_000, 0])
    assert.deepStrictEqual(["", "s", "1h", "-1s", "1.5s", "1 s"].map(parseDuration), Array(6).fill(undefined))
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
})
