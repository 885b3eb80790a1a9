/** `gstacks debug actors` and `debug actor`: the whole cluster, one process, the sockets alone, and going on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { Transcript } from "../harness/Changes.ts"
import { FakeSight } from "../harness/fakeSight.ts"
import { agentActors, debugWorld } from "./debugWorld.ts"

describe("debug actors", () => {
  it.live("draws the trees of the whole cluster, and says which agent could not be asked", () => Effect.gen(function*() {
    const { cli } = yield* debugWorld
    const { code, stdout } = yield* cli("debug actors")
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(stdout.split("\n").map((line) => line.replace(/ {2,}/g, "  ").replace(/(\d+) (s|min|h) /, "AGE ")), [
      "ACTOR  STATE  STATUS  FOR  RESTARTS  MAILBOX  MACHINE  LAST ERROR",
      "control  running  running  AGE  0  0  oneForOne  -",
      "`- mesh/headscale  serving  running  AGE  0  0  managedHeadscale  -",
      "host-1:agent  running  running  AGE  0  0  oneForOne  -",
      "|- networks  running  running  AGE  0  0  oneForOne  -",
      "| `- net_1/alias/api:8080  listening  running  AGE  0  0  aliasListener  -".replace("| ", "|  "),
      "`- link  session.online  running  AGE  2  1  agentLink  reset",
      "host-2  not seen  -  -  -  -  -  Agent \"host-2\" is not connected.",
      ""
    ])
  }).pipe(Effect.scoped))

  it.live("one process, by flag; names are addresses that debug actor takes", () => Effect.gen(function*() {
    const { cli } = yield* debugWorld
    assert.strictEqual((yield* cli("debug actors --control -o name")).stdout, "control\ncontrol/mesh/headscale\n")
    assert.match((yield* cli("debug actors --agent host-1 -o name")).stdout, /^host-1:agent\n[^]*host-1:agent\/link\n$/)
    const document = JSON.parse((yield* cli("debug actors --json")).stdout)
    assert.deepStrictEqual(document.map((row: { agent: string | null; problem: string | null; actors: Array<unknown> }) => [row.agent, row.problem, row.actors.length]),
      [[null, null, 2], ["host-1", null, 4], ["host-2", "Agent \"host-2\" is not connected.", 0]])
    assert.strictEqual((yield* cli("debug actors --agent host-2")).code, 1)
    assert.strictEqual((yield* cli("debug actors --agent host-9")).code, 3)
    assert.strictEqual((yield* cli("debug actors --agent host-1 --control")).code, 2)
  }).pipe(Effect.scoped))

  it.live("over the sockets on this machine while the control plane is down, and says so", () => Effect.gen(function*() {
    const { cli, controlIsDown, folder } = yield* debugWorld
    controlIsDown()
    const { code, stdout, stderr } = yield* cli("debug actors")
    assert.deepStrictEqual([code, /^host-1:agent /m.test(stdout), /^control/m.test(stdout)], [0, true, false])
    assert.match(stderr, /cannot be reached: .*; these are the agents on this machine\n/)
    assert.strictEqual((yield* cli("debug actors --control")).code, 1)
    writeFileSync(join(folder, "gstacks/config.json"), "{\"contexts\":{}}")
    assert.strictEqual((yield* cli("debug actors --url http://127.0.0.1:1")).code, 4, "no token and no socket: a login is needed")
  }).pipe(Effect.scoped))

  it.live("--watch prints each change as a line, across a restart, and asks again when something is away", () => Effect.gen(function*() {
    const { agent, cli } = yield* debugWorld
    agent.sight.append("agent/link", { event: "old" })
    const said = new Transcript()
    const watching = yield* Effect.forkScoped(cli("debug actors --agent host-1 --watch", said))
    yield* agent.sight.asked(2)
    agent.sight.append("agent/link", { event: "session.lost", from: "session.online", state: "backoff" })
    agent.sight.append("agent/link", { event: "noise", from: "backoff", state: "backoff" })
    agent.sight.append("agent/dns", { kind: "crashed", event: null, detail: "Error: no port\n  at listen" })
    yield* said.until(/host-1:agent\/dns {2}crashed: Error: no port$/m)
    agent.sight.restart()
    agent.sight.append("agent", { kind: "started", event: null, detail: "oneForOne" })
    yield* said.until(/host-1:agent {2}started: oneForOne$/m)
    assert.notMatch(said.text, /old|noise/)
    assert.match(said.text, /^1970\S+Z {2}host-1:agent\/link {2}session\.lost: session\.online -> backoff$/m)
    yield* Fiber.interrupt(watching)
  }).pipe(Effect.scoped))

  it.live("a process that was started anew is told whole and named, also when it has numbered beyond the reader", () => Effect.gen(function*() {
    const { agent, cli } = yield* debugWorld
    for (let i = 0; i < 20; i++) agent.sight.append("agent/link", { event: "old" })
    const watched = new Transcript(), followed = new Transcript()
    yield* Effect.forkScoped(cli("debug actors --agent host-1 --watch", watched))
    yield* Effect.forkScoped(cli("debug actor host-1:agent/link --follow", followed))
    yield* agent.sight.asked(4)
    agent.sight.restart()
    for (let i = 1; i <= 23; i++) agent.sight.append("agent/link", { event: `new-${i}`, from: String(i - 1), state: String(i) })
    for (const said of [watched, followed]) {
      yield* said.until(/new-23: 22 -> 23\n/)
      assert.deepStrictEqual(said.text.match(/new-\d+/g), Array.from({ length: 23 }, (_, i) => `new-${i + 1}`))
      assert.match(said.text, /^host-1 was started anew; what follows is of the new process\n[^]*new-1:/m)
    }
  }).pipe(Effect.scoped))

  it.live("--watch on a terminal draws what fits, again when something changes", () => Effect.gen(function*() {
    const { agent, cli } = yield* debugWorld
    const drawn = new Transcript()
    const watching = yield* Effect.forkScoped(cli("debug actors --agent host-1 --watch", { screen: { columns: 40, rows: 5 }, onOut: drawn.onOut }))
    yield* drawn.until(/\.\.\. and 2 lines more/)
    agent.sight.actors = agentActors("backoff").slice(3)
    yield* agent.sight.asked(2)
    agent.sight.append("agent/link", { event: "session.lost", from: "session.online", state: "backoff" })
    yield* drawn.until(/backoff/)
    agent.sight.restart()
    agent.sight.append("agent", { kind: "started", event: null, detail: "oneForOne" })
    yield* drawn.until(/host-1 was started anew at \d/)
    assert.isTrue(stripVTControlCharacters(drawn.text).split("\n").every((line) => line.length <= 40))
    yield* Fiber.interrupt(watching)
  }).pipe(Effect.scoped))
})

describe("debug actor", () => {
  it.live("shows chart, what it takes, context and what it did last", () => Effect.gen(function*() {
    const { agent, cli } = yield* debugWorld
    agent.sight.append("agent/link", { event: "session.opened", from: "idle", state: "session.online" })
    const { code, stdout } = yield* cli("debug actor host-1:agent/link")
    assert.strictEqual(code, 0)
    assert.match(stdout, /^Address: +host-1:agent\/link\nKind: +machine\nMachine: +agentLink\nState: +session.online\n/)
    assert.include(stdout, `
Chart (* active):
  - idle (initial)
  * session
        session.lost [isRefused] -> backoff
    * online (initial)
  - backoff

Takes now:
  EVENT         FROM     GUARD      TO
  session.lost  invoked  isRefused  backoff

Context:
  attempt:  3

Last of its journal:
  TIME                      WHAT
  1970-01-01T00:00:01.000Z  session.opened: idle -> session.online
`)
    const document = JSON.parse((yield* cli("debug actor agent/link --agent host-1 --json")).stdout)
    assert.deepStrictEqual([document.agent, document.actor.address, document.chart.machine, document.active], ["host-1", "agent/link", "agentLink", ["session", "session.online"]])
  }).pipe(Effect.scoped))

  it.live("--format mermaid prints the diagram alone; a supervisor has none", () => Effect.gen(function*() {
    const { cli } = yield* debugWorld
    assert.match((yield* cli("debug actor host-1:agent/link --format mermaid")).stdout, /^stateDiagram-v2\n[^]*class session,session__online active\n$/)
    const none = yield* cli("debug actor control --format mermaid")
    assert.deepStrictEqual([none.code, none.stdout], [1, ""])
  }).pipe(Effect.scoped))

  it.live("an unknown address is 3 with the nearest one; one that several agents have is 2", () => Effect.gen(function*() {
    const { cli, fake } = yield* debugWorld
    const typo = yield* cli("debug actor host-1:agent/lonk")
    assert.deepStrictEqual([typo.code, typo.stderr], [3, "error: there is no actor host-1:agent/lonk\nnext: did you mean gstacks debug actor host-1:agent/link? All: gstacks debug actors -o name\n"])
    assert.include((yield* cli("debug actor agent/lonk")).stderr, "(host-2 could not be asked)\nnext: did you mean gstacks debug actor host-1:agent/link?")
    assert.include((yield* cli("debug actor control/mesh/headscalf")).stderr, "gstacks debug actor control/mesh/headscale?")
    assert.strictEqual((yield* cli("debug actor host-9:agent/link")).code, 3)
    assert.strictEqual((yield* cli("debug actor host-1:agent/link --agent host-2")).code, 2)
    const other = new FakeSight()
    other.actors = agentActors("idle")
    fake.agentSights.set("host-2", other)
    const several = yield* cli("debug actor agent/link")
    assert.deepStrictEqual([several.code, several.stderr], [2, "error: agent/link is on several agents: host-1, host-2\nnext: choose one: gstacks debug actor host-1:agent/link\n"])
  }).pipe(Effect.scoped))

  it.live("--follow goes on with this actor's own events", () => Effect.gen(function*() {
    const { agent, cli } = yield* debugWorld
    agent.sight.append("agent/link", { event: "session.opened", from: "idle", state: "session.online" })
    const said = new Transcript()
    const following = yield* Effect.forkScoped(cli("debug actor host-1:agent/link --follow", said))
    yield* agent.sight.asked(2)
    agent.sight.append("agent/link/below", { event: "other" })
    agent.sight.append("agent/link", { event: "session.lost", from: "session.online", state: "backoff" })
    yield* said.until(/session\.lost: session\.online -> backoff\n/)
    assert.strictEqual(said.text.split("session.opened: idle").length, 2, "what was shown is not told again")
    assert.notInclude(said.text, "other")
    yield* Fiber.interrupt(following)
  }).pipe(Effect.scoped))
})
