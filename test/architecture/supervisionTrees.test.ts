/** The trees of docs/supervision.md are those that an agent, a control plane and a developer's background process really run: addresses, order, machines, strategies, restarts. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Ref, Schedule, Stream } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { vi } from "vitest"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import type { Backoff, Intensity } from "../../src/actors/runtime/ChildSpec.ts"
import type { ActorSnapshot } from "../../src/actors/runtime/Registry.ts"
import { Commands } from "../../src/local/Commands.ts"
import { Forwards } from "../../src/local/Forwards.ts"
import { Joins } from "../../src/local/Joins.ts"
import { Places } from "../../src/local/Places.ts"
import { Publications } from "../../src/local/Publications.ts"
import { outside, services as localServices } from "../../src/local/program.ts"
import { temporaryFolder } from "../agent/settings.ts"
import { allow, api as alias, controlWith, port, receipt, worldOf } from "../agent/world.ts"

vi.setConfig({ testTimeout: 30_000 })

interface Row { readonly depth: number; readonly address: string; readonly supervised: string; readonly machine: string | undefined }

const page = readFileSync(join(import.meta.dirname, "../../docs/supervision.md"), "utf8")
const documented: ReadonlyArray<Row> = [...page.slice(page.indexOf("## The trees")).matchAll(/^( *)\d+\. `([^`]+)` \[([^\]]+)\](?: `([^`]+)`)?:/gm)]
  .map(([, indent, address, supervised, machine]) => ({ depth: indent!.length / 3, address: address!, supervised: supervised!, machine }))

const inWords = (ms: number): string => ms < 1000 ? `${ms} ms` : `${ms / 1000} s`
const intensityInWords = ({ restarts, withinMs }: Intensity): string => restarts === Infinity ? "never gives up" : `${restarts} / ${inWords(withinMs)}`
const backoffInWords = ({ initialMs, maxMs }: Backoff): string => `back-off ${inWords(initialMs)} to ${inWords(maxMs)}`
const strategies: Readonly<Record<string, string>> = { oneForOne: "one-for-one", oneForAll: "one-for-all", restForOne: "rest-for-one" }

const supervisedOf = ({ kind, machine, upkeep: { backoff, intensity, restart } }: ActorSnapshot): string => [
  kind === "supervisor" ? strategies[machine] : undefined, restart, intensity && intensityInWords(intensity), backoff && backoffInWords(backoff)
].filter((word) => word !== undefined).join(", ")

const matches = (documented: string, address: string): boolean =>
  new RegExp(`^${documented.replace(/<\w+>/g, "[^/:]+")}$`).test(address)

const lineFor = (actor: ActorSnapshot): string =>
  `\`${actor.address}\` [${supervisedOf(actor)}]${actor.kind === "machine" ? ` \`${actor.machine}\`` : ""}: ...`

/** Every actor that there was since this was called, and a look at those that there are. */
const witness = Effect.fnUntraced(function*(actors: ActorSystem["Service"]) {
  const seen = yield* Ref.make<ReadonlyArray<ActorSnapshot>>([])
  yield* Effect.forkScoped(Stream.runForEach(actors.changes(""), (actor) => Ref.update(seen, (all) => [...all, actor])), { startImmediately: true })
  return Effect.all({ now: actors.tree, everSeen: Ref.get(seen) })
})

const differences = (root: string, now: ReadonlyArray<ActorSnapshot>, everSeen: ReadonlyArray<ActorSnapshot>): ReadonlyArray<string> => {
  const rows = documented.filter(({ address }) => address === root || address.startsWith(`${root}/`))
  const rowOf = (actor: ActorSnapshot) => rows.find(({ address }) => matches(address, actor.address))
  const all = [...now, ...everSeen]
  const wrong = all.flatMap((actor) => {
    const row = rowOf(actor)
    const same = row !== undefined && row.supervised === supervisedOf(actor) && row.machine === (actor.kind === "machine" ? actor.machine : undefined)
    return same ? [] : [`write in docs/supervision.md: ${lineFor(actor)}`]
  })
  const absent = rows.filter((row) => !all.some((actor) => matches(row.address, actor.address))).map(({ address }) => `nothing runs at \`${address}\`: remove the line, or make this test start it`)
  const order = [...new Set(now.flatMap((actor) => rowOf(actor)?.address ?? []))]
  const written = rows.map(({ address }) => address).filter((address) => order.includes(address))
  const misplaced = order.join() === written.join() ? [] : [`the order is: ${order.join(", ")}`]
  const nesting = rows.filter(({ address, depth }, index) => depth > 0 && !address.startsWith(`${rows.slice(0, index).findLast((row) => row.depth === depth - 1)?.address}/`))
  return [...new Set([...wrong, ...absent, ...misplaced, ...nesting.map(({ address }) => `\`${address}\` is not below its parent`)])]
}

it.live("docs/supervision.md has the trees that run", () => Effect.gen(function*() {
  const plane = yield* controlWith({ _tag: "Managed", binary: "/nonexistent", listen: { host: "127.0.0.1", port: 1 }, controlUrl: "http://127.0.0.1:1" })
  const ofControl = yield* witness(plane.actors)
  const { agents, api } = yield* worldOf(plane)
  const ofAgent = yield* witness(agents[1]!.actors)
  const { change } = yield* allow(api, "sandbox:web")
  yield* receipt(api, change.version)
  yield* api.networks.test({ params: { network: "dev" }, query: { waitMs: 20_000 }, payload: { source: "sandbox:web", alias, port } })
  const agent = yield* ofAgent, control = yield* ofControl
  assert.deepStrictEqual(differences("agent", agent.now, agent.everSeen), [])
  assert.deepStrictEqual(differences("control", control.now, control.everSeen), [])
}))

it.live("docs/supervision.md has the tree of a developer's background process", () => Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const places = Places.of({
    stateDir: folder, runtimeDir: folder, socket: join(folder, "local.sock"), log: join(folder, "local.log"),
    meshd: "/nonexistent", meshdSocket: join(folder, "meshd.sock"), meshdState: join(folder, "meshd"), lock: join(folder, "lock")
  })
  const context = yield* Layer.build(Layer.provide(localServices, Layer.provideMerge(outside, Layer.succeed(Places, places))))
  const actors = Context.get(context, ActorSystem)
  const ofLocal = yield* witness(actors)
  yield* Effect.forkScoped(Context.get(context, Joins).join("dev", { url: "http://127.0.0.1:1", token: "none" }), { startImmediately: true })
  yield* Context.get(context, Forwards).open({ network: "dev", alias, port, listen: "127.0.0.1:0", kept: true, all: false, guard: null })
  yield* Context.get(context, Commands).start({ network: "dev", pid: process.pid, program: "npm" })
  yield* Effect.ignore(Context.get(context, Publications).publish({ network: "dev", alias, port, local: port, forSeconds: 60 }))
  yield* Effect.repeat(actors.tree, { until: (now) => now.some(({ machine }) => machine === "localJoin"), schedule: Schedule.spaced("10 millis") })
  const local = yield* ofLocal
  assert.deepStrictEqual(differences("local", local.now, local.everSeen), [])
}))
