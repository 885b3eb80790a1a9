/** The built-in driver on real bubblewrap jails and the real shim; meshd is a stand-in, since no byte crosses a network here. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Scope, Stream, Exit, Context } from "effect"
import { existsSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import * as Address from "../../src/agent/addresses.ts"
import * as Agent from "../../src/agent/Agent.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import { environmentOf } from "../../src/agent/sandboxes/bwrap.ts"
import { Exec } from "../../src/agent/sandboxes/Exec.ts"
import { lastOutput } from "../../src/agent/sandboxes/logs.ts"
import { isAlive, type ProcessRef } from "../../src/agent/sandboxes/process.ts"
import { readShim } from "../../src/agent/sandboxes/Shim.ts"
import type { Wanted } from "../../src/actors/machines/sandbox.ts"
import { Sandboxes } from "../../src/agent/Sandboxes.ts"
import { SandboxId } from "../../src/domain/Ids.ts"
import { configIn, enrolled, temporaryFolder } from "../agent/settings.ts"
import { type FakeMeshd, fakeMeshd } from "../harness/fakeMeshd.ts"

const shim = process.env["GSTACKS_SHIM"] ?? join(import.meta.dirname, "../../dist/bin/gstacks-shim")
const ids = ["sbx_000000000000000001", "sbx_000000000000000002"].map((id) => SandboxId.make(id)) as [SandboxId, SandboxId]
const wanted = (command: ReadonlyArray<string>, more: Partial<Wanted["spec"]> = {}, id = ids[0]): Wanted =>
  ({ id, name: "web", spec: { command: command as [string, ...Array<string>], env: {}, binds: [], ...more } })

interface World { readonly folder: string; readonly meshd: FakeMeshd; readonly agent: Effect.Effect<Running, unknown, Scope.Scope> }
interface Running { readonly sandboxes: Sandboxes["Service"]; readonly exec: Exec["Service"]; readonly knowledge: Knowledge["Service"]; readonly actors: ActorSystem["Service"] }

/** Agents on one folder, one after the other; every sandbox is gone in the end. */
const world = Effect.gen(function*() {
  assert.isTrue(existsSync(shim), `${shim} is missing: run scripts/setup`)
  const folder = yield* temporaryFolder
  enrolled(folder)
  const meshd = yield* fakeMeshd(join(folder, "meshd.sock"))
  const agent = Effect.gen(function*() {
    const context = yield* Layer.build(Agent.services.pipe(Layer.provideMerge(configIn(folder, { shim }))))
    yield* Effect.provideContext(Agent.start, context)
    return { sandboxes: Context.get(context, Sandboxes), exec: Context.get(context, Exec), knowledge: Context.get(context, Knowledge), actors: Context.get(context, ActorSystem) }
  })
  yield* Effect.addFinalizer(() => Effect.gen(function*() {
    const { sandboxes } = yield* agent
    yield* sandboxes.reconcile(Effect.succeed([]))
  }).pipe(Effect.scoped, Effect.orDie))
  return { folder, meshd, agent } satisfies World
})

const run = ({ exec, knowledge }: Running, command: ReadonlyArray<string>, options: { stdin?: string; env?: Record<string, string> } = {}) => Effect.gen(function*() {
  const process = knowledge.running.get(ids[0])!
  let out = "", err = "", code = -1
  yield* exec.run({ process, command, env: { ...environmentOf("web", wanted([]).spec), ...options.env }, stdin: options.stdin !== undefined }).pipe(Stream.runForEach((event) => {
    switch (event._tag) {
      case "Started": return options.stdin === undefined ? Effect.void : Effect.andThen(exec.input(event.execId, Buffer.from(options.stdin)), exec.input(event.execId, null))
      case "Stdout": out += Buffer.from(event.bytes).toString(); return Effect.void
      case "Stderr": err += Buffer.from(event.bytes).toString(); return Effect.void
      case "Exited": code = event.code; return Effect.void
    }
  }))
  return { out, err, code }
})
/** The shim reports the end a moment before the last process has left. */
const gone = (...processes: ReadonlyArray<ProcessRef>) => Effect.promise(async () => {
  while (processes.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 5))
}).pipe(Effect.timeout("5 seconds"))
const sh = (agent: Running, script: string, options = {}) => run(agent, ["sh", "-c", script], options)

describe("sandboxes", () => {
  it.live("starts a program once its network is in force, and keeps output and exit code", () => Effect.gen(function*() {
    const { agent, meshd } = yield* world
    const { sandboxes, knowledge, actors } = yield* agent
    const started = yield* sandboxes.start(wanted(["sh", "-c", "echo hello; cat /etc/resolv.conf; hostname; id -un; pwd; exit 7"]))
    assert.strictEqual(meshd.plan.sandboxes[0]?.id, ids[0])
    assert.include(["running", "stopped"], started.state)
    yield* actors.waitFor(Address.sandbox(ids[0]), "stopped")
    assert.deepStrictEqual(yield* sandboxes.statuses, [{ id: ids[0], state: "stopped", exitCode: 7, reason: null }])
    const { text } = yield* lastOutput(sandboxes.folder(ids[0]), 10_000)
    assert.deepStrictEqual(text.split("\n"), ["hello", "nameserver 127.64.0.53", "options timeout:2 attempts:2", "web", "sandbox", "/", ""])
    assert.strictEqual(knowledge.running.size, 0)
  }))

  it.live("runs programs in it: streams, exit codes, signals, no capability, a directory of its own", () => Effect.gen(function*() {
    const { agent, folder } = yield* world
    const running = yield* agent
    yield* running.sandboxes.start(wanted(["sleep", "1000"], { env: { COLOUR: "blue" } }))
    assert.deepStrictEqual(yield* sh(running, "echo out; echo err >&2; exit 3"), { out: "out\n", err: "err\n", code: 3 })
    assert.strictEqual((yield* run(running, ["cat"], { stdin: "through\n" })).out, "through\n")
    assert.strictEqual((yield* run(running, ["no-such-program"])).code, 127)
    const { out } = yield* sh(running, "grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status; pwd; id -u; ls -d /proc/[0-9]* | wc -l; env | grep -c .")
    const [inherited, permitted, effective, ambient, noNewPrivs, cwd, uid, processes] = out.split("\n")
    for (const line of [inherited, permitted, effective, ambient]) assert.match(line!, /\t0+$/)
    assert.deepStrictEqual([noNewPrivs, cwd, uid], ["NoNewPrivs:\t1", "/", "1000"])
    assert.isBelow(Number(processes), 10)
    assert.notStrictEqual((yield* run(running, ["ls", folder])).code, 0)
  }))

  it.live("ends the program when the caller goes, and passes signals to all of it", () => Effect.gen(function*() {
    const { agent } = yield* world
    const running = yield* agent
    yield* running.sandboxes.start(wanted(["sleep", "1000"]))
    const process = running.knowledge.running.get(ids[0])!
    const long = (script: string) => running.exec.run({ process, command: ["sh", "-c", script], env: environmentOf("web", wanted([]).spec), stdin: false })
    const first = yield* Stream.runHead(Stream.filter(long("echo up; sleep 1000"), (event) => event._tag === "Stdout"))
    assert.isTrue(first._tag === "Some")
    assert.strictEqual((yield* sh(running, "pgrep -c -x sleep")).out, "1\n") // the sandbox's own
    let id = ""
    const code = yield* long("trap 'echo got it; exit 9' INT; echo up; while :; do sleep 0.1; done").pipe(Stream.runFoldEffect(() => -1, (code, event) => {
      if (event._tag === "Started") id = event.execId
      if (event._tag === "Stdout" && Buffer.from(event.bytes).toString().startsWith("up")) return Effect.as(running.exec.signal(id, "SIGINT"), code)
      return Effect.succeed(event._tag === "Exited" ? event.code : code)
    }))
    assert.strictEqual(code, 9)
  }))

  it.live("outlives the agent, is adopted, and can be stopped by the next one", () => Effect.gen(function*() {
    const { agent } = yield* world
    const first = yield* Scope.make()
    const { sandboxes, knowledge } = yield* Scope.provide(agent, first)
    yield* sandboxes.start(wanted(["sleep", "1000"]))
    const process = knowledge.running.get(ids[0])!
    yield* Scope.close(first, Exit.void)
    assert.isTrue(isAlive(process))

    const second = yield* agent
    assert.deepStrictEqual(second.knowledge.running.get(ids[0]), process)
    assert.deepStrictEqual((yield* second.sandboxes.start(wanted(["sleep", "1000"]))).state, "running")
    const ended = yield* second.sandboxes.stop(ids[0])
    assert.deepStrictEqual(ended, { id: ids[0], state: "stopped", exitCode: 143, reason: null })
    yield* gone(process)
  }))

  it.live("an end while no agent looked is found; a killed shim takes the sandbox with it and is told apart", () => Effect.gen(function*() {
    const { agent } = yield* world
    const first = yield* Scope.make()
    const one = yield* Scope.provide(agent, first)
    const gate = yield* temporaryFolder
    yield* one.sandboxes.start(wanted(["sh", "-c", "until [ -e /mnt/go ]; do sleep 0.05; done; exit 5"], { binds: [{ source: gate, target: "/mnt", writable: false }] }))
    yield* one.sandboxes.start({ ...wanted(["sleep", "1000"], {}, ids[1]), name: "other" })
    const shims = yield* Effect.forEach(ids, (id) => readShim(one.sandboxes.folder(id)))
    const child = one.knowledge.running.get(ids[1])!
    yield* Scope.close(first, Exit.void)
    writeFileSync(join(gate, "go"), "")
    process.kill(shims[1]!.pid, "SIGKILL")
    yield* gone(shims[0]!, shims[1]!, child)

    const two = yield* agent
    // Asked to stop before it has been looked at, a sandbox is stopped, whatever it was.
    yield* Effect.forEach(ids, (id) => two.actors.waitFor(Address.sandbox(id), (state) => state === "stopped" || state === "failed"))
    assert.deepStrictEqual(yield* two.sandboxes.stop(ids[0]), { id: ids[0], state: "stopped", exitCode: 5, reason: null })
    assert.deepInclude(yield* two.sandboxes.stop(ids[1]), { state: "failed", exitCode: null })
  }))

  it.live("sees nothing of the owner, the agent or meshd, and has no way to the host's sockets", () => Effect.gen(function*() {
    const { agent, folder } = yield* world
    const running = yield* agent
    const server = createServer((socket) => socket.end("secret"))
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => { server.listen(0, "127.0.0.1", () => resume(Effect.void)) }), () => Effect.sync(() => { server.close() }))
    const { port } = server.address() as { port: number }
    yield* running.sandboxes.start(wanted(["sleep", "1000"]))
    const { out } = yield* sh(running, `ls -A /tmp /run /home/.. >/dev/null; ls -A ${folder} 2>&1; ls -A /root /var/tmp; cat < /dev/null; echo $HOME; touch $HOME/x && echo writable; touch /etc/x 2>/dev/null || echo read-only`)
    assert.notInclude(out, "meshd.sock")
    assert.include(out, "/home/sandbox\nwritable\nread-only\n")
    const connect = yield* run(running, ["python3", "-c", `import socket\ntry:\n socket.create_connection(("127.0.0.1", ${port}), 2)\n print("open")\nexcept OSError as e:\n print(type(e).__name__)`])
    assert.strictEqual(connect.out, "ConnectionRefusedError\n")
  }))

  it.live("says why it cannot start: a bind that is not there, one that would show the agent's state, meshd away", () => Effect.gen(function*() {
    const { agent, folder, meshd } = yield* world
    const { sandboxes } = yield* agent
    const failure = (spec: Wanted) => Effect.flip(sandboxes.start(spec)).pipe(Effect.map((error) => error.reason), Effect.tap(() => sandboxes.remove(spec.id)))
    assert.include(yield* failure(wanted(["true"], { binds: [{ source: "/no/such", target: "/mnt", writable: false }] })), "the host has no /no/such")
    assert.include(yield* failure(wanted(["true"], { binds: [{ source: folder, target: "/mnt", writable: false }] })), "what the agent keeps to itself")
    assert.include(yield* failure(wanted(["true"], { binds: [{ source: "/etc", target: "/no/such", writable: false }] })), "its root is read-only")
    meshd.broken.set(ids[0], "no permission")
    assert.include(yield* failure(wanted(["sleep", "1000"])), "no permission")
    assert.isFalse(existsSync(join(sandboxes.folder(ids[0]))))
    assert.deepStrictEqual(meshd.plan.sandboxes.map((sandbox) => sandbox.id), [])
  }))

  it.live("a start whose shim is killed before the program fails at once, and leaves nothing", () => Effect.gen(function*() {
    const { agent, meshd } = yield* world
    const { sandboxes, knowledge } = yield* agent
    let letGo = () => {}
    meshd.gate = new Promise((resolve) => { letGo = () => resolve(undefined) })
    const starting = yield* Effect.forkChild(Effect.flip(sandboxes.start(wanted(["sleep", "1000"]))))
    yield* Effect.sleep("5 millis").pipe(Effect.repeat({ until: () => knowledge.running.has(ids[0]) }))
    const held = knowledge.running.get(ids[0])!
    const shim = (yield* readShim(sandboxes.folder(ids[0])))!
    process.kill(shim.pid, "SIGKILL")
    yield* gone(shim)
    letGo()
    assert.include((yield* Fiber.join(starting)).reason, "its shim was killed while it started")
    yield* gone(held)
  }))

  it.live("one that nobody wants any more is stopped and forgotten", () => Effect.gen(function*() {
    const { agent } = yield* world
    const { sandboxes, knowledge } = yield* agent
    yield* sandboxes.start(wanted(["sleep", "1000"]))
    const process = knowledge.running.get(ids[0])!
    yield* sandboxes.reconcile(Effect.succeed([]))
    yield* gone(process)
    assert.isFalse(existsSync(sandboxes.folder(ids[0])))
    assert.deepStrictEqual(yield* sandboxes.statuses, [])
  }))
})
