/** A hostile program in a real jail, and a hostile choice of words by its owner; meshd is a stand-in. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope, Stream } from "effect"
import { chmodSync, existsSync, lstatSync, readFileSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Agent from "../../src/agent/Agent.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import { bwrapCommand, environmentOf } from "../../src/agent/sandboxes/bwrap.ts"
import { Exec } from "../../src/agent/sandboxes/Exec.ts"
import { hiddenPaths, replaceFiles } from "../../src/agent/sandboxes/hostFiles.ts"
import { isAlive } from "../../src/agent/sandboxes/process.ts"
import { awaitChild, readShim, startShim } from "../../src/agent/sandboxes/Shim.ts"
import { systemCallFilter } from "../../src/agent/sandboxes/systemCalls.ts"
import type { Wanted } from "../../src/actors/machines/sandbox.ts"
import { Sandboxes } from "../../src/agent/Sandboxes.ts"
import { SandboxId } from "../../src/domain/Ids.ts"
import { configIn, enrolled, settingsIn, temporaryFolder } from "../agent/settings.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { rootHome } from "../harness/rootHome.ts"

const shim = process.env["GSTACKS_SHIM"] ?? join(import.meta.dirname, "../../dist/bin/gstacks-shim")
const id = SandboxId.make("sbx_000000000000000003")
const spec = (more: Partial<Wanted["spec"]> = {}): Wanted["spec"] => ({ command: ["sleep", "1000"], env: {}, binds: [], ...more })

const agentIn = (folder: string) => Effect.gen(function*() {
  const context = yield* Layer.build(Agent.services.pipe(Layer.provideMerge(configIn(folder, { shim }))))
  yield* Effect.provideContext(Agent.start, context)
  return { sandboxes: Context.get(context, Sandboxes), exec: Context.get(context, Exec), knowledge: Context.get(context, Knowledge) }
})
const host = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  enrolled(folder)
  yield* fakeMeshd(join(folder, "meshd.sock"))
  yield* Effect.addFinalizer(() => Effect.flatMap(agentIn(folder), ({ sandboxes }) => sandboxes.reconcile(Effect.succeed([]))).pipe(Effect.scoped, Effect.orDie))
  return folder
})

interface Outcome { readonly out: string; readonly err: string; readonly code: number }
const runIn = ({ exec, knowledge }: { readonly exec: Exec["Service"]; readonly knowledge: Knowledge["Service"] }, command: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  exec.run({ process: knowledge.running.get(id)!, command, env: { ...environmentOf("web", spec()), ...env }, stdin: false }).pipe(Stream.runFold((): Outcome => ({ out: "", err: "", code: -1 }), (sum, event) => {
    switch (event._tag) {
      case "Stdout": return { ...sum, out: sum.out + Buffer.from(event.bytes).toString() }
      case "Stderr": return { ...sum, err: sum.err + Buffer.from(event.bytes).toString() }
      case "Exited": return { ...sum, code: event.code }
      case "Started": return sum
    }
  }))
/** What a program that the sandbox itself runs (not `exec`) says in the end. */
const sandboxSays = (folder: string, script: string) => Effect.gen(function*() {
  const { sandboxes } = yield* agentIn(folder)
  const out = yield* temporaryFolder
  chmodSync(out, 0o777)
  yield* sandboxes.start({ id, name: "web", spec: spec({ command: ["sh", "-c", `{ ${script}\n} > /mnt/said 2>&1; mv /mnt/said /mnt/done; sleep 1000`], binds: [{ source: out, target: "/mnt", writable: true }] }) })
  return yield* Effect.promise(async () => {
    while (!existsSync(join(out, "done"))) await new Promise((resolve) => setTimeout(resolve, 10))
    return readFileSync(join(out, "done"), "utf8")
  }).pipe(Effect.timeout("20 seconds"))
})
const python = (lines: string) => `python3 - <<'END'\n${lines}\nEND`

/** Where the agent is root, these are the files that only the modes of the host's file system protect. */
const rootOnly = ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssl/private", join(rootHome, ".ssh"), "/var/lib/dpkg/lock", "/var/log/dpkg.log", "/boot"].filter((path) => existsSync(path))

describe("a program in a sandbox", () => {
  it.live("cannot read what not everyone on the host may, nor the host's data", () => Effect.gen(function*() {
    const said = yield* sandboxSays(yield* host, `for path in ${rootOnly.join(" ")}; do if [ -d $path ]; then [ -z "$(ls -A $path)" ]; else ! cat $path; fi || echo "READ $path"; done; cat /etc/passwd >/dev/null && echo public`)
    assert.notInclude(said, "READ")
    assert.include(said, "public")
    const hidden = hiddenPaths(settingsIn("/var/tmp/nowhere"))
    for (const name of readdirSync("/etc")) {
      const { mode } = lstatSync(join("/etc", name))
      if ((mode & 0o170004) === 0o100000) assert.include(hidden.masked, join("/etc", name))
    }
  }))

  it.live("cannot change the kernel's settings, where the agent is root too, nor see the host's hardware", () => Effect.gen(function*() {
    const said = yield* sandboxSays(yield* host, `
      find /proc/sys -type f -writable 2>/dev/null | head -3 | sed 's/^/WRITABLE /'
      cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness && echo WRITTEN
      echo h > /proc/sysrq-trigger && echo TRIGGERED
      mount -o remount,rw /proc && echo REMOUNTED
      ls /sys/class /sys/block /sys/firmware /sys/kernel /sys/fs && echo SEEN
      ls /sys/devices/system/cpu >/dev/null && echo processors`)
    for (const word of ["WRITABLE", "WRITTEN", "TRIGGERED", "REMOUNTED", "SEEN"]) assert.notInclude(said, word)
    assert.include(said, "processors")
  }))

  it.live("cannot make a user namespace, reach the hypervisor, or use the kernel's keys; what programs need works", () => Effect.gen(function*() {
    const said = yield* sandboxSays(yield* host, `unshare --user --map-root-user true && echo NAMESPACE; unshare --user true && echo NAMESPACE\n${python(`
import ctypes, errno, socket, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    return "done" if libc.syscall(number, *arguments) >= 0 else errno.errorcode[ctypes.get_errno()]
print("clone", call(56, 0x10000000 | 17, 0, 0, 0, 0))
print("clone3", call(435, 0, 0))
print("keyctl", call(250, 0, -3, 0))
print("io_uring", call(425, 1, 0))
print("x32", call(0x40000000 | 39))
for family in (40, 38, 17, 16, 1, 2, 10):
    try:
        socket.socket(family, socket.SOCK_RAW if family == 16 else socket.SOCK_STREAM if family != 38 else 5)
        print("family", family, "open")
    except OSError as error:
        print("family", family, errno.errorcode[error.errno])
thread = threading.Thread(target=lambda: print("thread"))
thread.start(); thread.join()
`)}`)
    assert.notInclude(said, "NAMESPACE")
    for (const line of ["clone EPERM", "clone3 ENOSYS", "keyctl ENOSYS", "io_uring ENOSYS", "x32 ENOSYS", "family 40 EAFNOSUPPORT", "family 38 EAFNOSUPPORT", "family 17 EAFNOSUPPORT",
      "family 16 open", "family 1 open", "family 2 open", "family 10 open", "thread"]) assert.include(said, `${line}\n`)
  }))

  it.live("has no terminal, no descriptor of others, and no environment of the host", () => Effect.gen(function*() {
    process.env["GSTACKS_TEST_SECRET"] = "do-not-leak"
    const said = yield* sandboxSays(yield* host, `ls /proc/self/fd; cat /proc/*/environ | tr '\\0' '\\n'; true < /dev/tty && echo TERMINAL; cat /proc/net/unix | wc -l`)
    delete process.env["GSTACKS_TEST_SECRET"]
    assert.notInclude(said, "do-not-leak")
    assert.notInclude(said, "TERMINAL")
    assert.deepStrictEqual(said.split("\n").slice(0, 4), ["0", "1", "2", "3"]) // 3 is ls's own
    assert.match(said, /\n1\n$/) // no abstract socket but the heading
  }))
})

describe("exec", () => {
  it.live("runs nothing on the host that its environment or the sandbox could choose", () => Effect.gen(function*() {
    const folder = yield* host
    const agent = yield* agentIn(folder)
    const shared = yield* temporaryFolder // at the same path inside, so that a PATH would lead there on the host too
    chmodSync(shared, 0o777)
    for (const name of ["nsenter", "setsid", "setpriv", "env", "sh"]) {
      writeFileSync(join(shared, name), `#!/bin/sh\n[ -e ${folder}/state ] && touch ${shared}/ESCAPED\necho planted; cat /proc/self/status\n`, { mode: 0o755 })
    }
    yield* agent.sandboxes.start({ id, name: "web", spec: spec({ binds: [{ source: shared, target: shared, writable: true }] }) })
    const { out } = yield* runIn(agent, ["sh"], { PATH: `${shared}:/usr/bin:/bin`, LD_PRELOAD: join(shared, "evil.so"), LD_DEBUG: "files", LD_DEBUG_OUTPUT: join(shared, "HOST") })
    assert.include(out, "planted") // its own choice of PATH holds, inside
    assert.match(out, /CapEff:\t0+\n/)
    assert.include(out, "NoNewPrivs:\t1")
    assert.isFalse(existsSync(join(shared, "ESCAPED")))
    const traced = readdirSync(shared).filter((name) => name.startsWith("HOST")).map((name) => readFileSync(join(shared, name), "utf8")).join("")
    assert.notMatch(traced, /setpriv|nsenter/)
  }))

  it.live("says what it cannot pass on, and takes what is strange but possible", () => Effect.gen(function*() {
    const agent = yield* agentIn(yield* host)
    yield* agent.sandboxes.start({ id, name: "web", spec: spec() })
    for (const [command, env] of [[["a=b"], {}], [["true"], { "-u": "x" }], [["true"], { "a=b": "x" }], [["true"], { A: "x".repeat(200_000) }], [["echo", "a\0b"], {}]] as const) {
      const error = yield* Effect.flip(runIn(agent, command, env))
      assert.strictEqual(error._tag, "ExecFailed")
    }
    const odd = { EMPTY: "", LINES: "a\nb", "WITH.DOT": "=x=" }
    assert.strictEqual((yield* runIn(agent, ["sh", "-c", "env"], odd)).out.includes("EMPTY=\n"), true)
    assert.include((yield* runIn(agent, ["env"], odd)).out, "LINES=a\nb\nWITH.DOT==x=\n")
    assert.strictEqual((yield* runIn(agent, ["printf", "%s", "--", "-x"])).out, "---x")
  }))

  it.live("a hundred at once keep their bytes apart", () => Effect.gen(function*() {
    const agent = yield* agentIn(yield* host)
    yield* agent.sandboxes.start({ id, name: "web", spec: spec() })
    const outcomes = yield* Effect.forEach(Array.from({ length: 100 }, (_, i) => i), (i) => runIn(agent, ["sh", "-c", `echo ${i}; exit ${i}`]), { concurrency: "unbounded" })
    assert.deepStrictEqual(outcomes, outcomes.map((_, i) => ({ out: `${i}\n`, err: "", code: i })))
  }), 60_000)
})

describe("a shim that was killed early", () => {
  /** Until bubblewrap's last step nothing ends its child with the shim; held, it never gets there. */
  const orphan = (folder: string) => Effect.gen(function*() {
    const own = join(folder, "state/sandboxes", id)
    const filter = join(own, "system-calls.bpf")
    const hidden = hiddenPaths(settingsIn(folder))
    const replaced = yield* replaceFiles(own, "web", hidden)
    writeFileSync(filter, systemCallFilter())
    yield* startShim(shim, own, bwrapCommand({ name: "web", spec: spec(), ...hidden, replaced, filter }))
    const child = yield* awaitChild(own)
    const { pid } = (yield* readShim(own))!
    process.kill(pid, "SIGKILL")
    while (isAlive((yield* readShim(own))!)) yield* Effect.sleep(5)
    return { own, child }
  })

  it.live("leaves nothing that runs once an agent starts, whether or not anyone knows the sandbox", () => Effect.gen(function*() {
    const folder = yield* host
    const { child } = yield* orphan(folder)
    assert.isTrue(isAlive(child))
    yield* agentIn(folder)
    assert.isFalse(isAlive(child))
  }))

  it.live("leaves nothing while the agent runs either", () => Effect.gen(function*() {
    const folder = yield* host
    const first = yield* Scope.make()
    const { sandboxes } = yield* Scope.provide(agentIn(folder), first)
    const { child } = yield* orphan(folder)
    const error = yield* Effect.flip(sandboxes.start({ id, name: "web", spec: spec() }))
    assert.include(error.reason, "it ended with its shim")
    assert.isFalse(isAlive(child))
    yield* Scope.close(first, Exit.void)
  }))

  it.live("a hung shim cannot keep a sandbox that is to stop", () => Effect.gen(function*() {
    const agent = yield* agentIn(yield* host)
    yield* agent.sandboxes.start({ id, name: "web", spec: spec() })
    const child = agent.knowledge.running.get(id)!
    const hung = (yield* readShim(agent.sandboxes.folder(id)))!
    process.kill(hung.pid, "SIGSTOP")
    assert.include(["stopped", "failed"], (yield* agent.sandboxes.stop(id)).state)
    assert.isFalse(isAlive(child))
    assert.isFalse(isAlive(hung))
  }), 60_000)
})

describe("a damaged spec", () => {
  it.live("stops no agent; its sandbox is found, and goes when nobody wants it", () => Effect.gen(function*() {
    const folder = yield* host
    const first = yield* Scope.make()
    const one = yield* Scope.provide(agentIn(folder), first)
    yield* one.sandboxes.start({ id, name: "web", spec: spec() })
    const child = one.knowledge.running.get(id)!
    yield* Scope.close(first, Exit.void)
    writeFileSync(join(one.sandboxes.folder(id), "spec.json"), `{"id":"${id}","na`)

    const two = yield* agentIn(folder)
    assert.deepStrictEqual(two.knowledge.running.get(id), child)
    assert.strictEqual((yield* two.sandboxes.start({ id, name: "web", spec: spec() })).state, "running")
    assert.strictEqual(two.sandboxes.find("web")?.id, id)
    yield* two.sandboxes.reconcile(Effect.succeed([]))
    assert.isFalse(isAlive(child))
    assert.isFalse(existsSync(two.sandboxes.folder(id)))
  }))
})
