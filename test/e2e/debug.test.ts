/** Looking into a real cluster: its trees, one actor, what happens while one looks, without the control plane, a recording; and that nowhere a secret shows. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { named } from "../../src/dev/Cluster.ts"
import type { ActorDetail, JournalPage, ProcessActors } from "../../src/domain/Sight.ts"
import { decodeRecording } from "../../src/domain/Sight/Recording.ts"
import { goOn, type GoingOn } from "../harness/cluster.ts"
import { Laptop } from "../harness/Laptop.ts"
import { credentialsIn } from "./credentials.ts"
import { eventually, Fixture } from "./fixture.ts"

const ofOwner = randomBytes(24).toString("base64url")

describe("looking into a cluster", () => {
  let fixture: Fixture, laptop: Laptop, ofAnn: string, ofForward: string
  const shown: Array<string> = []

  /** All that is ever shown is kept, for the search at the end. */
  const gstacks = async (...args: ReadonlyArray<string>) => {
    const result = await fixture.cluster.gstacks(...args)
    shown.push(result.stdout, result.stderr)
    return result
  }
  const get = async <A>(path: string): Promise<A> => {
    const { status, body } = await fixture.api("GET", `/debug/${path}`)
    assert.strictEqual(status, 200, path)
    shown.push(JSON.stringify(body))
    return body
  }
  const stateOf = async (address: string) => JSON.parse((await gstacks("debug", "actor", address, "--json")).stdout).actor.state

  beforeAll(async () => {
    fixture = await Fixture.start(2)
    for (const [name, host] of [["web", "host-1"], ["backend", "host-2"]] as const) {
      const run = await fixture.cluster.gstacks("sandbox", "run", name, "--agent", host, "--env", `PASSWORD=${ofOwner}`, "--", "sleep", "infinity")
      assert.strictEqual(run.code, 0, run.stderr)
    }
    await fixture.network("dev")
    await fixture.attach("dev", "web")
    await fixture.attach("dev", "backend", "api", [8080])
    await fixture.allow("dev", "sandbox:web", "api", 8080)
    await fixture.allow("dev", "local:ann", "api", 8080)
    laptop = await Laptop.start(fixture.cluster)
    ofAnn = await fixture.userToken("ann")
    const ann = laptop.as("ann", ofAnn)
    await ann.run("mesh join dev")
    ofForward = /Gstacks-Token: (\S+)/.exec((await ann.run("mesh forward dev api:8080 --local 18080 --guard-token --background")).stderr)![1]!
  }, 240_000)
  afterAll(async () => {
    await fixture?.stop()
    laptop?.remove()
  }, 60_000)

  it("shows the trees of every process, each actor by an address that leads to it", async () => {
    const names = (await gstacks("debug", "actors", "-o", "name")).stdout.trimEnd().split("\n")
    assert.includeMembers(names, ["control", "control/mesh/managedHeadscale", "host-1:agent", "host-1:agent/dataplane", "host-2:agent/link"])
    assert.isTrue(names.some((name) => /^host-2:agent\/networks\/net_\w+\/topology$/.test(name)), names.join("\n"))
    assert.match((await gstacks("debug", "actors")).stdout, /^ACTOR .*\ncontrol [^]*^host-1:agent [^]*^ {0,3}`- link +session\.online [^]*^host-2:agent /m)
    assert.strictEqual(await stateOf("host-2:agent/link"), "session.online")
    assert.strictEqual((await gstacks("debug", "actor", "host-2:agent/lonk")).code, 3)
  })

  it("shows one actor with its chart, and as a diagram", async () => {
    const { stdout } = await gstacks("debug", "actor", "host-1:agent/dataplane")
    assert.match(stdout, /^Address: +host-1:agent\/dataplane\n[^]*\nChart \(\* active\):\n {2}\* session \(initial\)\n[^]*\* ready\n[^]*\nTakes now:\n[^]*meshd\.lost[^]*\nContext:\n[^]*generation: +\d+\n[^]*\nLast of its journal:\n/)
    assert.match((await gstacks("debug", "actor", "host-1:agent/dataplane", "--format", "mermaid")).stdout, /^stateDiagram-v2\n[^]*class session,session__ready active\n$/)
  })

  it("follows an actor while meshd is killed, and a recording has the same", async () => {
    const file = join(fixture.folder, "incident.jsonl")
    const following: GoingOn = goOn(fixture.cluster.env, ["debug", "actor", "host-1:agent/dataplane", "--follow"])
    const recording: GoingOn = goOn(fixture.cluster.env, ["debug", "record", "--for", "60s", "-o", file])
    await following.until(/Last of its journal/)
    await recording.until(/recording the control plane, host-1, host-2/)
    fixture.cluster.kill("meshd", "host-1")
    await following.until(/meshd\.lost: session\.ready -> backoff\n[^]*meshd\.applied: session\.handshaking -> session\.ready\n/)
    await recording.interrupt()
    assert.strictEqual(await following.interrupt(), 130)
    shown.push(following.said, recording.said, readFileSync(file, "utf8"))

    const { success } = decodeRecording(readFileSync(file, "utf8")) as unknown as { readonly success: { readonly processes: ReadonlyArray<ProcessActors> } }
    assert.deepStrictEqual(success.processes.map(({ agent }) => agent), [null, "host-1", "host-2"])
    const history = await gstacks("debug", "replay", file, "--address", "host-1:agent/dataplane")
    assert.match(history.stdout, /meshd\.lost: session\.ready -> backoff\n/)
    const [entry] = /^\d+(?= .*meshd\.lost: session\.ready -> backoff$)/m.exec(history.stdout)!
    const stateAt = async (at: number) => (JSON.parse((await gstacks("debug", "replay", file, "--at", String(at), "--json")).stdout) as ReadonlyArray<ProcessActors>)[1]!
      .actors.find(({ address }) => address === "agent/dataplane")!.state
    assert.deepStrictEqual([await stateAt(Number(entry) - 1), await stateAt(Number(entry))], ["session.ready", "backoff"])
  })

  it("records an agent's kill -9: that another process answers, and its tree and its entries whole", async () => {
    const file = join(fixture.folder, "restart.jsonl")
    const addresses = async () => (await gstacks("debug", "actors", "--agent", "host-1", "-o", "name")).stdout.trimEnd().split("\n").sort()
    const before = await addresses()
    const recording = goOn(fixture.cluster.env, ["debug", "record", "--agent", "host-1", "--for", "10m", "-o", file])
    await recording.until(/recording host-1 /)
    fixture.cluster.kill("agent", "host-1")
    await recording.until(/host-1 was started anew; what follows is of the new process/, 60_000)
    await eventually("all is there again", async () => (await addresses()).join() === before.join() && await stateOf("host-1:agent/link") === "session.online", 60_000)
    await recording.interrupt()
    shown.push(recording.said, readFileSync(file, "utf8"))

    const { entries } = Result.getOrThrow(decodeRecording(readFileSync(file, "utf8")))
    const seqs = entries.map(({ entry }) => entry.seq)
    const own = seqs.slice(seqs.indexOf(0))
    assert.isAbove(own.length, 10)
    assert.deepStrictEqual(own, own.map((_, index) => index))
    const { stdout } = await gstacks("debug", "replay", file, "--at", String(entries.length), "--json")
    const [{ actors }] = JSON.parse(stdout) as readonly [ProcessActors]
    assert.deepStrictEqual(actors.map(({ address }) => `host-1:${address}`).sort(), before)
    assert.isTrue(actors.every(({ restarts }) => restarts === 0))
  })

  it("looks over the sockets on this machine while the control plane does not answer, and says so", async () => {
    fixture.cluster.freeze("control", "")
    try {
      const [trees, one, page] = await Promise.all([
        gstacks("debug", "actors"), gstacks("debug", "actor", "host-2:agent/link"), fixture.cluster.gstacks("debug", "inspect", "--agent", "host-1", "--for", "1m")
      ])
      assert.match(trees.stdout, /^host-1:agent [^]*^host-2:agent /m)
      assert.match(trees.stderr, /did not answer within \d+ s; these are the agents on this machine\n/)
      assert.deepStrictEqual([one.code, page.code], [0, 0], one.stderr + page.stderr)
      const { origin, hash } = new URL(page.stdout)
      const ask = async (path: string) => (await fixture.cluster.exec("host-1", "curl", "-s", "-H", `Authorization: Bearer ${hash.slice("#token=".length)}`, `${origin}${path}`)).stdout
      shown.push(await ask("/inspector/"), await ask("/inspector/inspector.js"), await ask("/api/v1/debug/journal"))
      const [own] = JSON.parse(await ask("/api/v1/debug/actors?scope=cluster")) as ReadonlyArray<ProcessActors>
      assert.deepStrictEqual([own?.agent, own?.actors[0]?.address], ["host-1", "agent"])
    } finally {
      fixture.cluster.thaw("control", "")
    }
  })

  it("serves the page, which needs nothing from elsewhere", async () => {
    const page = await fetch(`${fixture.cluster.url}/inspector/`)
    const files = await Promise.all(["inspector.js", "inspector.css"].map((name) => fetch(`${fixture.cluster.url}/inspector/${name}`)))
    assert.deepStrictEqual([page, ...files].map(({ status }) => status), [200, 200, 200])
    assert.match(page.headers.get("content-security-policy")!, /^default-src 'none'; /)
    for (const { text } of await Promise.all([page, ...files].map(async (file) => ({ text: await file.text() })))) shown.push(text)
  })

  it("shows no credential, of whomever, in all of this and in everything else that can be asked", async () => {
    const { secret } = (await fixture.api("POST", "/tokens", { kind: "enrolment", name: "spare" })).body
    const refused = await fetch(`${fixture.cluster.url}/api/v1/debug/actors`, { headers: { authorization: `Bearer ${secret}` } })
    shown.push(await refused.text())
    for (const { agent, actors } of await get<ReadonlyArray<ProcessActors>>("actors?scope=cluster")) {
      const of = agent === null ? "" : `&agent=${agent}`
      await get(`charts?${of}`)
      for (const { address } of actors) await get<ActorDetail>(`actor?address=${encodeURIComponent(address)}${of}`)
      for (let after = 0, page: JournalPage | undefined; page === undefined || page.entries.length > 0; after = page.next) page = await get<JournalPage>(`journal?after=${after}${of}`)
    }

    const { stateDir, runtimeDir } = named("dev", fixture.cluster.env)
    const held = credentialsIn([join(stateDir, "control"), join(stateDir, "hosts"), runtimeDir, laptop.folder])
    const kinds = [...held.token].map((token) => token.slice(0, 3)).sort()
    assert.includeMembers(kinds, ["gsa", "gse", "gsu"])
    assert.isAtLeast(held.privateKey.size, 4, "of the coordinator (noise, relay) and of each mesh node")
    assert.isAtLeast(credentialsIn([laptop.folder]).privateKey.size, 1, "of the developer's machine")
    assert.isAtLeast(held.coordinatorKey.size, 1)
    assert.isAtLeast(held.logId.size, 1)
    assert.isTrue(held.token.has(fixture.cluster.token), "the search finds what is known to be there")

    const everything = shown.join("\n")
    assert.isAbove(everything.length, 100_000)
    for (const credential of [...Object.values(held).flatMap((some) => [...some]), secret, ofOwner, ofAnn, ofForward]) {
      assert.isFalse(everything.includes(credential), `${credential.slice(0, 8)}... is shown`)
      assert.isFalse(everything.includes(credential.slice(-20)), `the end of ${credential.slice(0, 8)}... is shown`)
    }
    assert.notMatch(everything, /\bhskey-|\bprivkey:|\bgs[a-z]_[\w-]{40}/, "nothing that only passes through, such as a key to join by")
  })
})
