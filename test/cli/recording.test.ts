/** `gstacks debug record`, `debug replay` and `debug inspect`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Collected } from "../../src/cli/commands/debug/Collected.ts"
import type { JournalEntry, JournalPage } from "../../src/domain/Sight.ts"
import { decodeRecording, encodeRecording, largestRecording } from "../../src/domain/Sight/Recording.ts"
import { actorState } from "../harness/fakeSight.ts"
import { debugWorld, link } from "./debugWorld.ts"

type World = Effect.Success<typeof debugWorld>

/** Ends it early, as Ctrl-C does, as soon as something has happened. */
const recorded = Effect.fnUntraced(function*({ agent, cli, fake, folder }: World) {
  const file = join(folder, "incident.jsonl")
  agent.sight.charts = [link]
  agent.sight.append("agent/link", { event: "before", from: null, state: "session.online" })
  const ended = yield* cli(`debug record --for 60s -o ${file}`, {
    onListening: (send) => Effect.asVoid(Effect.forkDetach(Effect.gen(function*() {
      yield* agent.sight.asked(2)
      yield* fake.sight.asked(2)
      agent.sight.append("agent/link", { event: "session.lost", from: "session.online", state: "backoff" })
      agent.sight.append("agent/link", { event: "session.opened", from: "backoff", state: "session.online" })
      yield* send("SIGINT")
    })))
  })
  return { file, ended }
})

describe("debug record", () => {
  it.live("writes a whole file of mode 0600 when it is ended early, and says what is in it", () => Effect.gen(function*() {
    const world = yield* debugWorld
    const { file, ended } = yield* recorded(world)
    assert.deepStrictEqual([ended.code, ended.stdout], [0, `${file}: 2 entries of 2 processes, ${statSync(file).size} bytes\n`], ended.stderr)
    assert.include(ended.stderr, "host-2 is left out: Agent \"host-2\" is not connected.\nrecording the control plane, host-1 for 60 s; Ctrl-C ends it early\nended early\nnext: gstacks debug replay")
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    const { success } = decodeRecording(readFileSync(file, "utf8")) as unknown as { readonly success: any }
    assert.deepStrictEqual(success.processes.map((one: any) => [one.agent, one.seq, one.actors.length, one.charts.length]), [[null, 0, 2, 0], ["host-1", 1, 4, 1]])
    assert.deepStrictEqual(success.entries.map(({ agent, entry }: any) => [agent, entry.seq, entry.event]), [["host-1", 2, "session.lost"], ["host-1", 3, "session.opened"]])
    assert.deepStrictEqual(readdirSync(world.folder).filter((name) => name.includes("part")), [])
  }).pipe(Effect.scoped))

  it.live("replaces an older file only when it is done; ends by itself; says so at once when it cannot write", () => Effect.gen(function*() {
    const { cli, folder } = yield* debugWorld
    const file = join(folder, "old.jsonl")
    writeFileSync(file, "old")
    const brief = yield* cli(`debug record --for 50ms --control -o ${file} --json`)
    assert.deepInclude(JSON.parse(brief.stdout), { file, processes: 1, entries: 0 })
    assert.match(readFileSync(file, "utf8"), /^\{"_tag":"Header"/)
    for (const [path, why] of [[folder, "it is a folder"], [join(folder, "nowhere/x"), "it does not exist"]] as const) {
      const ended = yield* cli(`debug record --for 60s -o ${path}`)
      assert.deepStrictEqual([ended.code, ended.stderr.split("\n")[0]], [1, `error: ${path} cannot be written: ${why}`])
    }
    assert.strictEqual((yield* cli(`debug record --for 0s -o ${file}`)).code, 2)
    assert.strictEqual((yield* cli("debug record --for 1s")).code, 2)
    const nobody = join(folder, "nobody.jsonl")
    assert.strictEqual((yield* cli(`debug record --for 60s --agent host-2 -o ${nobody}`)).code, 1)
    assert.isFalse(existsSync(nobody))
  }).pipe(Effect.scoped))
})

describe("debug record, of what is hard to record", () => {
  const during = Effect.fnUntraced(function*({ agent, cli, fake, folder }: World, what: Effect.Effect<void>) {
    const file = join(folder, "incident.jsonl")
    for (let i = 0; i < 20; i++) agent.sight.append("agent/link", { event: "before", from: "a", state: "a" })
    const ended = yield* cli(`debug record --for 60s -o ${file}`, {
      onListening: (send) => Effect.asVoid(Effect.forkDetach(Effect.gen(function*() {
        yield* agent.sight.asked(2)
        yield* fake.sight.asked(2)
        yield* what
        yield* send("SIGINT")
      })))
    })
    assert.strictEqual(ended.code, 0, ended.stderr)
    return { ...ended, file, entries: Result.getOrThrow(decodeRecording(readFileSync(file, "utf8"))).entries.filter((one) => one.agent === "host-1").map(({ entry }) => entry) }
  })

  it.live("a process that was started anew and has numbered beyond the reader: its tree and its entries whole", () => Effect.gen(function*() {
    const world = yield* debugWorld
    const { agent: { sight }, cli } = world
    const { entries, file } = yield* during(world, Effect.gen(function*() {
      sight.restart()
      sight.append("agent", { kind: "started", event: null, detail: "oneForOne" })
      sight.append("agent/dns", { kind: "started", event: null, detail: "dnsListener" })
      for (let i = 3; i <= 23; i++) sight.append("agent/dns", { event: "xstate.init", from: null, state: `s${i}` })
      yield* sight.asked(3)
    }))
    assert.deepStrictEqual(entries.map(({ seq }) => seq), Array.from({ length: 24 }, (_, seq) => seq))
    assert.deepInclude(entries[0], { kind: "ended", detail: "another process answers from here on" })
    const treeAt = (at: number) => Effect.map(cli(`debug replay ${file} --at ${at} -o name`), ({ stdout }) => stdout.split("\n").filter((name) => name.startsWith("host-1:")))
    assert.strictEqual((yield* treeAt(0)).length, 4)
    assert.deepStrictEqual(yield* treeAt(24), ["host-1:agent", "host-1:agent/dns"])
  }).pipe(Effect.scoped))

  it.live("more entries at its end than one page holds", () => Effect.gen(function*() {
    const world = yield* debugWorld
    const { entries, stderr } = yield* during(world, Effect.sync(() => {
      for (let i = 0; i < 10_000; i++) world.agent.sight.append("agent/link", { event: "burst", from: "a", state: "b" })
    }))
    assert.deepStrictEqual([entries.length, entries.at(-1)?.seq], [10_000, 10_020])
    assert.notInclude(stderr, "not recorded to its end")
  }).pipe(Effect.scoped))

  it.live("a process that cannot be asked at the end: said, and in the file", () => Effect.gen(function*() {
    const world = yield* debugWorld
    const { entries, stderr } = yield* during(world, Effect.sync(() => { world.fake.agentSights.delete("host-1") }))
    assert.include(stderr, "host-1 is not recorded to its end: Agent \"host-1\" is not connected.\n")
    assert.deepStrictEqual(entries.map(({ detail, kind, seq }) => [seq, kind, detail]), [[21, "dropped", "what follows is missing: Agent \"host-1\" is not connected."]])
  }).pipe(Effect.scoped))

  it("more than a recording may hold: what was taken stays in order, the rest is missing", () => {
    const entry = (seq: number): JournalEntry => ({ seq, at: seq, address: "a", kind: "event", event: "e", from: null, state: "s", detail: "x".repeat(100) })
    const page = (from: number, to: number, dropped = 0): JournalPage => ({ entries: Array.from({ length: to - from + 1 }, (_, i) => entry(from + i)), next: to, dropped, instance: "i" })
    const collected = new Collected([{ agent: "host-1", seq: 0, actors: [], charts: [] }], new Map([["host-1", { after: 0, instance: "i" }]]), 5_000)
    assert.isTrue(collected.take("host-1", page(3, 4, 2), 0))
    assert.isFalse(collected.take("host-1", page(5, 1000), 0))
    assert.isFalse(collected.take("host-1", page(5, 5), 0))
    collected.miss("host-1", 9, "y".repeat(10_000))
    const seqs = collected.entries.map(({ entry: { seq } }) => seq)
    assert.deepStrictEqual(seqs, Array.from({ length: seqs.length }, (_, i) => i + 2))
    assert.deepStrictEqual([collected.entries[0]?.entry.detail, collected.entries.at(-1)?.entry.kind], ["2 entries were lost", "dropped"])
    assert.isAtMost(encodeRecording({ at: 0, product: "x", processes: [{ agent: "host-1", seq: 0, actors: [], charts: [] }], entries: collected.entries }).length, 5_000)
  })
})

describe("debug replay", () => {
  it.live("says what is in it, the trees at an entry, and an actor's history", () => Effect.gen(function*() {
    const world = yield* debugWorld
    const { file } = yield* recorded(world)
    const { cli } = world
    const overview = yield* cli(`debug replay ${file}`)
    assert.match(overview.stdout, /^Recorded: +\S+Z\nBy: +gstacks \S+\n[^]*\nEntries: +2\n\nPROCESS +ACTORS +MACHINES +ENTRIES\nthe control plane +2 +0 +0\nhost-1 +4 +1 +2\n$/)
    assert.include(overview.stderr, "--at 1, or open it in the page of gstacks debug inspect")
    const stateAt = (at: number) => Effect.map(cli(`debug replay ${file} --at ${at} --json`), ({ stdout }) => JSON.parse(stdout)[1].actors.find((actor: any) => actor.address === "agent/link").state)
    assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2, 1], stateAt), ["session.online", "backoff", "session.online", "backoff"])
    assert.match((yield* cli(`debug replay ${file} --at 1`)).stdout, /^control .*\n`- mesh\/headscale [^]*`- link +backoff /m)
    const history = yield* cli(`debug replay ${file} --address host-1:agent/link`)
    assert.match(history.stdout, /^ENTRY +TIME +ACTOR +WHAT\n1 +1970\S+ +host-1:agent\/link +session\.lost: session\.online -> backoff\n2 .*\n$/)
    assert.strictEqual((yield* cli(`debug replay ${file} --address host-1:agent`)).stdout, history.stdout)
    assert.strictEqual((yield* cli(`debug replay ${file} --address host-1:agent/dns`)).code, 3)
    assert.strictEqual((yield* cli(`debug replay ${file} --at 3`)).code, 2)
  }).pipe(Effect.scoped))

  it.live("a file that is no whole recording is a clear error, whatever it is", () => Effect.gen(function*() {
    const world = yield* debugWorld
    const { file } = yield* recorded(world)
    const { cli, folder } = world
    const whole = readFileSync(file, "utf8")
    const bad = (name: string, make: (path: string) => void) => {
      const path = join(folder, name)
      make(path)
      return cli(`debug replay ${path}`)
    }
    const text = (content: string | Uint8Array) => (path: string) => writeFileSync(path, content)
    const cases: ReadonlyArray<readonly [string, (path: string) => void, RegExp]> = [
      ["missing", () => undefined, /it does not exist/],
      ["folder", (path) => mkdirSync(path), /it is a folder/],
      ["endless", (path) => symlinkSync("/dev/zero", path), /it is no ordinary file/],
      ["huge", (path) => { writeFileSync(path, whole); truncateSync(path, largestRecording + 1) }, /more than \d+ bytes/],
      ["empty", text(""), /no recording/],
      ["bytes", text(new Uint8Array(1000).fill(255)), /no recording/],
      ["version", text(whole.replace("\"version\":1", "\"version\":7")), /has version 7; this program reads version 1/],
      ["truncated", text(whole.slice(0, -40)), /cut off/],
      ["fewer", text(whole.replace(/\n\{"_tag":"Entry"[^\n]*/, "")), /1 entries were found, 2 promised/],
      ["badLine", text(whole.replace("session.lost", "x\"")), /Line \d/],
      ["deep", text(whole.replace(/\n/, `\n${"[".repeat(100_000)}\n`)), /Line 2/]
    ]
    for (const [name, make, message] of cases) {
      const { code, stdout, stderr } = yield* bad(name, make)
      assert.deepStrictEqual([name, code, stdout], [name, 1, ""])
      assert.match(stderr, message)
      assert.match(stderr, /\nnext: /)
    }
    const address = (depth: number) => Array.from({ length: depth }, () => "a").join("/")
    const nested = encodeRecording({ at: 0, product: "x", entries: [], processes: [{ agent: null, seq: 0, charts: [], actors: Array.from({ length: 3000 }, (_, i) => actorState(address(i + 1))) }] })
    writeFileSync(join(folder, "nested"), nested)
    assert.strictEqual((yield* cli(`debug replay ${join(folder, "nested")} --at 0`)).stdout.split("\n").length, 3002)
    assert.match((yield* bad("terminal", text(whole.replaceAll("session.lost", "a\\u001b[31mb")))).stdout, /PROCESS/)
    assert.notInclude((yield* cli(`debug replay ${join(folder, "terminal")} --address host-1:agent`)).stdout, "\u001b")
  }).pipe(Effect.scoped))
})

describe("debug inspect", () => {
  it.live("prints the page's address with a token of its own that ends soon", () => Effect.gen(function*() {
    const { cli, fake, url } = yield* debugWorld
    const { code, stdout, stderr } = yield* cli("debug inspect --for 5m")
    assert.deepStrictEqual([code, stdout], [0, `${url}/inspector/#token=gse_secret\n`])
    const token = fake.tokens.at(-1)!
    assert.deepStrictEqual([token.kind, Date.parse(token.expiresAt!) - Date.parse(token.createdAt) <= 300_000], ["inspector", true])
    assert.include(stderr, `until ${token.expiresAt}; whoever has this address can look at every actor, and do nothing else\n`)
    assert.strictEqual((yield* cli("debug inspect", { env: { GSTACKS_URL: "unix:/run/x.sock", GSTACKS_TOKEN: "t" } })).code, 2)
  }).pipe(Effect.scoped))

  it.live("of one agent over its socket, also while the control plane is down", () => Effect.gen(function*() {
    const { cli, controlIsDown } = yield* debugWorld
    controlIsDown()
    const opened = yield* cli("debug inspect --agent host-1")
    assert.strictEqual(opened.stdout, "http://127.0.0.1:1/inspector/#token=t0ken\n")
    assert.match(opened.stderr, /^host-1 has a network of its own, and its loopback cannot be reached from here; .*\nuntil /)
    assert.match((yield* cli("debug inspect --agent host-2")).stderr, /the socket of host-2 is not on this machine/)
    const tooLong = yield* cli("debug inspect --agent host-1 --for 25h")
    assert.deepStrictEqual([tooLong.code, tooLong.stderr.split("\n")[0]], [1, "error: the inspector can be open for up to 24 hours"])
    assert.strictEqual((yield* cli("debug inspect")).code, 1)
  }).pipe(Effect.scoped))
})
