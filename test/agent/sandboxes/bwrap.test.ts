import { assert, describe, it } from "@effect/vitest"
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bwrapCommand, environmentOf, isWithin, outermost } from "../../../src/agent/sandboxes/bwrap.ts"
import { bindProblem, checkedBind, hiddenPaths } from "../../../src/agent/sandboxes/hostFiles.ts"
import { settingsIn } from "../settings.ts"
import type { SandboxSpec } from "../../../src/domain/Sandbox.ts"

const spec: SandboxSpec = { command: ["serve", "--flag", "--"], env: { COLOUR: "blue" }, binds: [{ source: "/src", target: "/mnt", writable: true }, { source: "/a", target: "/opt", writable: false }] }
const command = bwrapCommand({
  name: "web", spec, scratch: ["/home", "/tmp"], hidden: ["/mnt", "/srv"], masked: ["/etc/shadow"], filter: "/state/system-calls.bpf",
  replaced: [{ source: "/state/resolv.conf", target: "/etc/resolv.conf" }]
})
/** Where a run of arguments stands. */
const at = (...words: ReadonlyArray<string>): number => command.findIndex((_, i) => words.every((word, j) => command[i + j] === word))

describe("bwrap command", () => {
  it("has every namespace of its own, no capability, and ends with its parent", () => {
    for (const word of ["--unshare-user", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session", "--clearenv"]) assert.include(command, word)
    assert.isAbove(at("--cap-drop", "ALL"), 0)
    assert.isAbove(at("--uid", "1000", "--gid", "1000"), 0)
    assert.notInclude(command, "--dev") // bubblewrap's own /dev needs a second user namespace
  })
  it("hides before it shows: root, then empty folders, then what is replaced, then the owner's binds", () => {
    const order = [at("--ro-bind", "/", "/"), at("--ro-bind", "/dev/null", "/etc/shadow"), at("--tmpfs", "/srv"), at("--tmpfs", "/home"), at("--proc", "/proc", "--remount-ro", "/proc"), at("--tmpfs", "/sys"), at("--ro-bind", "/state/resolv.conf", "/etc/resolv.conf"), at("--bind", "/src", "/mnt"), at("--ro-bind", "/a", "/opt"), at("--remount-ro", "/srv")]
    assert.strictEqual(at("--remount-ro", "/mnt"), -1) // that is the bind's by then
    assert.isAbove(order[0]!, 0)
    assert.deepStrictEqual(order, [...order].sort((a, b) => a - b))
  })
  it("starts held, and passes the program's words as they are", () => {
    assert.isAbove(at("--json-status-fd", "3", "--block-fd", "4", "--seccomp", "5"), 0)
    assert.deepStrictEqual(command.slice(0, 5), ["sh", "-c", 'exec "$@" 5<"$0"', "/state/system-calls.bpf", "bwrap"])
    assert.deepStrictEqual(command.slice(-4), ["--", "serve", "--flag", "--"])
  })
  it("its environment is what is listed; the owner's words win", () => {
    assert.deepStrictEqual(Object.keys(environmentOf("web", spec)), ["PATH", "HOME", "TERM", "GSTACKS_SANDBOX", "COLOUR"])
    assert.strictEqual(environmentOf("web", { ...spec, env: { PATH: "/bin" } })["PATH"], "/bin")
  })
})

describe("folders", () => {
  it("within means the folder or below, not a longer name", () => {
    assert.deepStrictEqual([isWithin("/a/b", "/a"), isWithin("/a", "/a"), isWithin("/ab", "/a"), isWithin("/a", "/")], [true, true, false, true])
  })
  it("keeps the outermost", () => {
    assert.deepStrictEqual(outermost(["/srv/x", "/tmp", "/srv", "/tmp"]), ["/srv", "/tmp"])
  })
})

describe("hidden paths", () => {
  it("are state, homes, the host's data, and what not everyone may read", () => {
    const folder = mkdtempSync("/var/tmp/gs-") // nowhere near a home
    const state = join("/usr/local", "etc")
    const settings = settingsIn(folder, { hide: ["/etc/hostname", ...(existsSync(state) ? [state] : [])] })
    try {
      const { scratch, hidden, masked } = hiddenPaths(settings)
      for (const path of ["/tmp", "/var/tmp", "/run", "/home", "/root"]) assert.include(scratch, path)
      for (const path of ["/boot", "/srv", "/mnt", "/var/lib", "/var/log"]) if (existsSync(path)) assert.include(hidden, path)
      assert.include(masked, "/etc/hostname")
      assert.include(masked, "/etc/shadow")
      assert.notInclude(masked, "/etc/passwd")
      for (const path of hidden) assert.isTrue(statSync(path).isDirectory(), path)
      for (const path of masked) assert.isFalse(hidden.some((parent) => isWithin(path, parent)), path)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe("bind mounts", () => {
  const hidden = { scratch: ["/tmp", "/home"], hidden: ["/srv"] }
  it("say why they cannot be had", () => {
    const problem = (source: string, target: string) => bindProblem({ source, target, writable: false }, ["/etc/ssl"], hidden)
    assert.match(problem("/no/such", "/mnt")!, /the host has no/)
    assert.match(problem("/etc", "mnt")!, /needs a path inside/)
    assert.match(problem("/etc", "/")!, /needs a path inside/)
    assert.match(problem("/etc", "/mnt")!, /keeps to itself/)
    assert.match(problem("/", "/mnt")!, /keeps to itself/)
    assert.match(problem("usr", "/mnt")!, /no absolute path/)
    for (const path of ["/proc", "/proc/sys", "/sys", "/dev", "/dev/shm"]) assert.match(problem(path, "/mnt")!, /belongs to the kernel/, path)
    for (const path of ["/proc", "/mnt/../proc/sys", "/dev/null", "/sys/fs"]) assert.match(problem("/usr", path)!, /belongs to the kernel/, path)
    assert.match(problem("/usr", "/no/such")!, /its root is read-only/)
    assert.isUndefined(problem("/usr", "/mnt"))
    assert.isUndefined(problem("/usr", "/tmp/made/for/it"))
  })
  it("see through symbolic links to what the agent keeps to itself", () => {
    const folder = mkdtempSync(join(tmpdir(), "gs-"))
    try {
      mkdirSync(join(folder, "state"))
      symlinkSync(join(folder, "state"), join(folder, "link"))
      const bind = { source: join(folder, "link"), target: "/mnt/../tmp/x", writable: true }
      assert.match(bindProblem(bind, [join(folder, "state")], hidden)!, /keeps to itself/)
      assert.deepStrictEqual(checkedBind(bind), { source: join(folder, "state"), target: "/tmp/x", writable: true })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
