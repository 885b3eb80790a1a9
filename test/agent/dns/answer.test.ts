import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { decode, encode, type Packet, type RecordType } from "dns-packet"
import { answer, readyZone } from "../../../src/agent/dns/answer.ts"
import { compileZone } from "../../../src/agent/dns/zone.ts"
import { Topology } from "../../../src/domain/Topology.ts"

const alias = (n: number, name: string, address: string) =>
  ({ id: `als_${String(n).padStart(18, "0")}`, name, address, ports: [80], sandboxId: "sbx_000000000000000001", agentId: "agt_000000000000000001" })
const network = (n: number, name: string, aliases: ReadonlyArray<ReturnType<typeof alias>>): Topology => Schema.decodeUnknownSync(Topology)({
  networkId: `net_${String(n).padStart(18, "0")}`, name, version: 1, aliases, members: [], agents: [], rules: [], localNodes: []
})

const dev = network(1, "dev", [alias(1, "api", "127.64.1.2"), alias(2, "db", "127.65.1.2")])
const qa = network(2, "qa", [alias(3, "api", "127.64.9.9")])
const zone = readyZone(compileZone("z", [dev, qa]))

const ask = (name: string, type: RecordType, extra: Packet = {}, udp = true) => {
  const response = answer(zone, encode({ type: "query", id: 7, flags: 256, questions: [{ name, type }], ...extra }), udp)
  assert.isDefined(response)
  const packet = decode(response!)
  return { packet, code: response![3]! & 15, authoritative: (response![2]! & 4) !== 0, bytes: response! }
}

describe("answers of a compiled zone", () => {
  it("A for the aliases of every network in it, with a lifetime of 5 s", () => {
    assert.deepInclude(ask("api.dev.gstacks", "A").packet.answers![0], { type: "A", ttl: 5, data: "127.64.1.2", name: "api.dev.gstacks" })
    assert.deepInclude(ask("api.qa.gstacks", "A").packet.answers![0], { data: "127.64.9.9" })
  })
  it("no data for AAAA and other types, with the SOA", () => {
    for (const kind of ["AAAA", "TXT", "HTTPS", "MX"] as ReadonlyArray<RecordType>) {
      const { packet, code } = ask("db.dev.gstacks", kind)
      assert.strictEqual(code, 0)
      assert.strictEqual(packet.answers!.length, 0)
      assert.deepInclude(packet.authorities![0], { type: "SOA", name: "gstacks", ttl: 5 })
    }
  })
  it("NXDOMAIN with SOA for unknown names, the same for unknown networks", () => {
    for (const name of ["nope.dev.gstacks", "api.other.gstacks", "other.gstacks", "x.api.dev.gstacks", "9.1.64.127.in-addr.arpa"]) {
      const { packet, code, authoritative } = ask(name, "A")
      assert.deepStrictEqual([name, code, authoritative, packet.authorities![0]!.type], [name, 3, true, "SOA"])
    }
  })
  it("empty non-terminals exist", () => {
    for (const name of ["dev.gstacks", "qa.gstacks", "64.127.in-addr.arpa", "1.64.127.in-addr.arpa"]) {
      const { packet, code } = ask(name, "A")
      assert.deepStrictEqual([name, code, packet.authorities!.length], [name, 0, 1])
    }
  })
  it("PTR for its own virtual addresses", () => {
    assert.deepInclude(ask("2.1.64.127.in-addr.arpa", "PTR").packet.answers![0], { type: "PTR", data: "api.dev.gstacks", ttl: 5 })
  })
  it("SOA and NS at the origins", () => {
    for (const origin of ["gstacks", "127.in-addr.arpa"]) {
      assert.deepInclude(ask(origin, "SOA").packet.answers![0], { type: "SOA", name: origin })
      assert.deepInclude(ask(origin, "NS").packet.answers![0], { type: "NS", data: origin })
    }
  })
  it("keeps the case of the question (0x20)", () => {
    const { packet } = ask("aPi.DeV.gStAcKs", "A")
    assert.strictEqual(packet.questions![0]!.name, "aPi.DeV.gStAcKs")
    assert.strictEqual(packet.answers!.length, 1)
  })
  it("ANY is answered by one HINFO", () => {
    assert.deepInclude(ask("api.dev.gstacks", "ANY" as RecordType).packet.answers![0], { type: "HINFO", name: "api.dev.gstacks" })
  })
  it("names elsewhere and zone transfers are refused", () => {
    assert.strictEqual(ask("example.com", "A").code, 5)
    assert.strictEqual(ask("gstacks.example", "A").code, 5)
    assert.strictEqual(ask("dev.gstacks", "AXFR").code, 5)
  })
  it("a label with a dot in it is not the name that it looks like", () => {
    const query = encode({ type: "query", id: 1, questions: [{ name: "api.devXgstacks", type: "A" }] })
    query[query.indexOf("X".charCodeAt(0))] = ".".charCodeAt(0)
    assert.strictEqual(answer(zone, query, true)![3]! & 15, 5)
  })
  it("EDNS is echoed with our size; a later version is BADVERS", () => {
    const opt = { type: "OPT", name: ".", udpPayloadSize: 4096, flags: 0, extendedRcode: 0, ednsVersion: 0, options: [] } as const
    const { packet } = ask("api.dev.gstacks", "A", { additionals: [{ ...opt, options: [] }] as unknown as NonNullable<Packet["additionals"]> })
    assert.deepInclude(packet.additionals![0], { type: "OPT", udpPayloadSize: 1232 })
    const later = ask("api.dev.gstacks", "A", { additionals: [{ ...opt, ednsVersion: 1 }] as unknown as NonNullable<Packet["additionals"]> })
    assert.strictEqual(later.code, 0)
    assert.deepInclude(later.packet.additionals![0], { extendedRcode: 1 })
  })
  it("drops what is no query, refuses what is malformed or another opcode", () => {
    const query = encode({ type: "query", id: 1, questions: [{ name: "api.dev.gstacks", type: "A" }] })
    assert.isUndefined(answer(zone, query.subarray(0, 11), true))
    const response = Buffer.from(query); response[2]! |= 0x80
    assert.isUndefined(answer(zone, response, true))
    const twoQuestions = Buffer.from(query); twoQuestions[5] = 2
    assert.strictEqual(answer(zone, twoQuestions, true)![3], 1)
    assert.strictEqual(answer(zone, query.subarray(0, 20), true)![3], 1)
    const notify = Buffer.from(query); notify[2]! |= 4 << 3
    assert.strictEqual(answer(zone, notify, true)![3], 4)
  })
  it("truncates what a client does not take over UDP, not over TCP", () => {
    const many = { count: 40, rrs: Buffer.concat(Array.from({ length: 40 }, () => Buffer.from("0161076773746163 6b73000010000100000005000403616263".replace(" ", ""), "hex"))).toString("base64") }
    const big = readyZone({ ...compileZone("z", []), names: { "a.gstacks": { 16: many } } })
    const query = encode({ type: "query", id: 1, questions: [{ name: "a.gstacks", type: "TXT" }] })
    const overUdp = answer(big, query, true)!
    assert.deepStrictEqual([overUdp[2]! & 2, overUdp[7], overUdp.length < 512], [2, 0, true])
    assert.strictEqual(decode(answer(big, query, false)!).answers!.length, 40)
  })
  it.prop("never throws, never answers a response, whatever the bytes", [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))], ([bytes]) => {
    const query = Buffer.from(bytes)
    const response = answer(zone, query, true)
    if (query.length < 12 || query[2]! & 0x80) assert.isUndefined(response)
    else assert.deepStrictEqual(response!.subarray(0, 2), query.subarray(0, 2))
  }, { arbitrary: { runs: 2000 } })
})
