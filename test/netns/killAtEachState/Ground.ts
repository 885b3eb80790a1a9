/**
 * The cluster in which processes are killed: `web` on host-1 may reach port 8080 of `api` on host-2 and not its port 8081, in network
 * `dev`, which nobody changes. Scenarios work on networks and sandboxes of their own, so that what is stored of `dev`, what connects
 * and what is refused must be the same after each kill.
 */
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { named } from "../../../src/dev/Cluster.ts"
import * as worldFile from "../../../src/dev/worldFile.ts"
import type { Agent } from "../../../src/domain/Agent.ts"
import { eventually, Fixture } from "../../e2e/fixture.ts"
import { type Cluster, pausingBundles } from "../../harness/cluster.ts"
import type { Peer } from "../../harness/Peer.ts"
import { Developer } from "./Developer.ts"
import { Leftovers } from "./Leftovers.ts"
import { Pauses } from "./Pauses.ts"
import { signalIfThere } from "./signalIfThere.ts"

/** A developer's machine, with a background process (`local`) and a meshd of its own. */
export const laptop = "laptop"
/** A process that can be killed: role and host, or for a shim its sandbox. */
export interface Victim { readonly role: "agent" | "control" | "headscale" | "local" | "meshd" | "shim"; readonly host: string }
export const victimOf = (process: string): Victim => {
  if (process === "control") return { role: "control", host: "" }
  return process === laptop ? { role: "local", host: laptop } : { role: "agent", host: process }
}
/** The host that a machine of this process has most to do with. */
export const hostOf = (process: string): string => {
  if (process === "control") return "host-1"
  return process === laptop ? "host-2" : process
}
const nameOf = ({ host, role }: Victim): string => `${role} ${host}`.trim()

const api = "api.dev.gstacks"
/** A look takes the control plane's time, too. */
const lookEveryMs = 100

export class Ground {
  readonly fixture: Fixture
  readonly developer: Developer
  readonly leftovers: Leftovers
  readonly #hosts: ReadonlyArray<string>
  readonly #pauses: Pauses
  readonly #web: Peer
  readonly #stored: unknown
  /** Who was killed last under this name, and when. */
  readonly #killed = new Map<string, { readonly pid: number | undefined; readonly at: number }>()
  #dnsHolder: Promise<unknown> | undefined

  private constructor(hosts: ReadonlyArray<string>, fixture: Fixture, developer: Developer, pauses: Pauses, web: Peer, stored: unknown) {
    this.fixture = fixture
    this.developer = developer
    this.leftovers = new Leftovers(fixture, hosts)
    this.#hosts = hosts
    this.#pauses = pauses
    this.#web = web
    this.#stored = stored
  }

  static async start(howMany: number): Promise<Ground> {
    const hosts = Array.from({ length: howMany }, (_, index) => `host-${index + 1}`)
    const pauses = new Pauses()
    const fixture = await Fixture.start(howMany, pauses.settings, { bundles: pausingBundles })
    const web = await fixture.sandbox("web", "host-1")
    const backend = await fixture.sandbox("backend", "host-2")
    for (const port of [8080, 8081]) await backend.listen(port)
    await fixture.network("dev")
    await fixture.attach("dev", "web")
    await fixture.attach("dev", "backend", "api", [8080, 8081])
    await fixture.allow("dev", "sandbox:web", "api", 8080)
    await fixture.reachable(web, api, 8080)
    return new Ground(hosts, fixture, await Developer.start(fixture, pauses.settings), pauses, web, await storedOf(fixture))
  }

  async stop(): Promise<void> {
    this.developer.stop()
    await this.fixture.stop()
    this.#pauses.remove()
  }

  /** Of every process that stores something. */
  get stateDirs(): ReadonlyArray<string> {
    const { stateDir } = named("dev", this.fixture.cluster.env)
    return [join(stateDir, "control"), ...this.#hosts.map((host) => join(stateDir, "hosts", host, "agent")), this.developer.stateDir]
  }

  kill(victim: Victim): void {
    this.#killed.set(nameOf(victim), { pid: this.#startedPid(victim), at: Date.now() })
    this.#keeperOf(victim).kill(victim.role, victim.host)
  }

  runs(victim: Victim): boolean {
    return this.#pid(victim) !== undefined
  }
  #pid(victim: Victim): number | undefined {
    return this.#keeperOf(victim).pid(victim.role, victim.host)
  }
  #keeperOf({ host }: Victim): Pick<Cluster, "pid" | "kill" | "thaw"> {
    return host === laptop ? this.developer : this.fixture.cluster
  }

  arm(process: string, state: string): void {
    this.#pauses.arm(process, state)
  }

  stopped(process: string, state: string): Promise<void> {
    return this.#pauses.stopped(process, state, () => this.#pid(victimOf(process)))
  }

  thaw(process: string): void {
    const victim = victimOf(process)
    this.#keeperOf(victim).thaw(victim.role, victim.host)
  }

  /** After a scenario that failed: the next one finds a process that runs, or is about to. */
  letGo(process: string): void {
    this.#pauses.disarm(process)
    const pid = this.#pid(victimOf(process))
    if (pid !== undefined) signalIfThere(pid, "SIGCONT")
  }

  /** Answers how long after `since` all is as it was and these processes have been started again; says what is not when that takes too long. */
  async well(process: string, victims: ReadonlyArray<Victim>, since: () => number, withinMs: number): Promise<number> {
    for (;;) {
      const trouble = await this.#trouble(process, victims).catch((error: Error) => error.message) // who was asked is away
      const ms = performance.now() - since()
      if (trouble === undefined) return ms
      if (ms > withinMs) throw new Error(`not well within ${withinMs} ms: ${trouble}`)
      await delay(lookEveryMs)
    }
  }

  async #trouble(process: string, victims: ReadonlyArray<Victim>): Promise<string | undefined> {
    const listed = await this.fixture.api("GET", "/agents").catch(() => ({ status: 0, body: [] }))
    if (listed.status !== 200) return "the API does not answer"
    const isBack = ({ host, name, online }: Agent) => online && Date.parse(host?.startedAt ?? "") > (this.#killed.get(`agent ${name}`)?.at ?? 0)
    const concerned = process === "control" ? this.#hosts : [hostOf(process)]
    const away = concerned.filter((host) => !listed.body.some((agent: Agent) => agent.name === host && isBack(agent)))
    if (away.length > 0) return `${away.join(", ")} are not online`
    const dead = victims.filter((victim) => victim.role !== "shim" && !this.#isAgain(victim))
    if (dead.length > 0) return `${dead.map(nameOf).join(", ")} did not start again`
    const allowed = await this.#web.probe(api, 8080, { timeoutMs: 1000 })
    if (allowed.result !== "open") return `a permitted stream: ${allowed.result}`
    const denied = await this.#web.probe(api, 8081, { timeoutMs: 1000 })
    if (denied.result !== "ECONNREFUSED") return `a stream that nothing permits: ${denied.result}`
    const coordinator = await this.fixture.api("GET", "/debug/actor?address=control/mesh/managedHeadscale")
    if (coordinator.body.actor?.state !== "running") return `Headscale: ${JSON.stringify(coordinator.body.actor?.state)}`
    const stored = await storedOf(this.fixture)
    if (!isDeepStrictEqual(stored, this.#stored)) return `stored is ${JSON.stringify(stored)}, and was ${JSON.stringify(this.#stored)}`
    return process === laptop ? this.developer.trouble() : undefined
  }

  #isAgain(victim: Victim): boolean {
    const now = this.#startedPid(victim)
    return now !== undefined && now !== this.#killed.get(nameOf(victim))?.pid
  }

  /** As the world numbers it, where it started it itself: that costs no look at every process of the machine. */
  #startedPid(victim: Victim): number | undefined {
    const { host, role } = victim
    const started = worldFile.read(named("dev", this.fixture.cluster.env))?.processes.find((row) => row.role === role && (row.host ?? "") === host)
    return started === undefined ? this.#pid(victim) : started.pid ?? undefined
  }

  /** Somebody else has the host's DNS address until `freeDns`. */
  async occupyDns(host: string): Promise<void> {
    this.#dnsHolder = this.fixture.cluster.exec(host, "python3", "-c", holdDnsAddress, this.#marker)
    await eventually("the address is taken", () => existsSync(this.#marker))
  }
  async freeDns(): Promise<void> {
    rmSync(this.#marker)
    await this.#dnsHolder
  }
  get #marker(): string {
    return join(this.#pauses.folder, "occupied")
  }
}

/** Binds the address, says so by making a file, and keeps it until that is removed. */
const holdDnsAddress = `
import os, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 1053))
open(sys.argv[1], "w").close()
while os.path.exists(sys.argv[1]): time.sleep(0.02)
`

const storedOf = async (fixture: Fixture) => {
  const { body } = await fixture.api("GET", "/networks/dev")
  return { version: body.network?.version, aliases: body.aliases, rules: body.rules, attachments: body.attachments?.map((a: { sandbox: string }) => a.sandbox) }
}
