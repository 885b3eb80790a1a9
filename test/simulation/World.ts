/** A whole cluster in one process: the time, the network, the mesh's coordinator, the database, a control plane and hosts with their agents. */
import { Cause, Effect, Exit } from "effect"
import { Agents } from "../../src/control/Agents.ts"
import { Tokens } from "../../src/control/Tokens.ts"
import type { DiagnosticRun } from "../../src/domain/Diagnostic.ts"
import { AgentName } from "../../src/domain/DnsLabel.ts"
import type { AgentId } from "../../src/domain/Ids.ts"
import type { Change } from "../../src/domain/Receipt.ts"
import { asPrincipal } from "../../src/control/Changes.ts"
import { ControlPlane, type ControlParts, controlParts } from "./ControlPlane.ts"
import { Coordinator } from "./Coordinator.ts"
import { SimulatedDatabase } from "./Database.ts"
import { type AgentParts, agentParts, Host } from "./Host.ts"
import { Journal } from "./Journal.ts"
import { Network } from "./Network.ts"
import { Fibers, type Process } from "./Process.ts"
import { type Draw, draw } from "./random.ts"
import { hostNames, type UserOperation } from "./schedule.ts"
import { Time } from "./Time.ts"
import { Trace } from "./trace.ts"
import { perform, principalOf } from "./users.ts"
import { WallClock } from "./WallClock.ts"

/** A change that a user was told of. */
export interface Acknowledged { readonly principal: string; readonly change: Change }

/** A test that a user saw the end of. */
export interface Tested { readonly number: number; readonly run: DiagnosticRun; readonly tookMs: number }

/** Services that are not the real ones. */
export interface Mutant { readonly control?: Partial<ControlParts>; readonly agent?: Partial<AgentParts> }

const restartMs = 1000

export class World {
  readonly time: Time
  readonly journal: Journal
  readonly fibers = new Fibers()
  readonly draw: Draw
  readonly network: Network
  readonly coordinator: Coordinator
  /** Of the control plane's host, the coordinator's too. */
  readonly controlClock: WallClock
  readonly database: SimulatedDatabase
  readonly controlParts: ControlParts
  readonly agentParts: AgentParts
  readonly hosts = new Map<string, Host>()
  readonly agentIds = new Map<string, AgentId>()
  readonly trace: Trace
  readonly acknowledged: Array<Acknowledged> = []
  readonly tested: Array<Tested> = []
  /** Tests that nobody has heard the end of, and who was asked. */
  readonly testing = new Map<number, Process>()
  /** When which operation was asked for. */
  readonly askedAt = new Map<number, number>()
  /** When which agent's connection was accepted. */
  readonly letIn: Array<{ readonly at: number; readonly host: string }> = []
  /** Prevent the ends of the faults that last. */
  readonly undoing: Array<() => void> = []
  /** From then on nothing goes wrong any more. */
  isPutRight = false
  /** Its newest life, also when that has ended. */
  control: ControlPlane | undefined

  static async make(seed: number, mutant: Mutant = {}): Promise<World> {
    const time = new Time()
    return new World(seed, time, await SimulatedDatabase.empty(time), mutant)
  }

  private constructor(seed: number, time: Time, database: SimulatedDatabase, mutant: Mutant) {
    this.time = time
    this.journal = new Journal(time)
    this.trace = new Trace(time)
    this.controlClock = new WallClock(time)
    this.coordinator = new Coordinator(() => this.controlClock.now)
    this.draw = draw(seed, "world")
    this.network = new Network(time, this.journal, draw(seed, "network"), (host) => this.letIn.push({ at: time.now, host }))
    this.database = database
    this.controlParts = { ...controlParts, ...mutant.control }
    this.agentParts = { ...agentParts, ...mutant.agent }
  }

  startControl(): void {
    if (this.control?.process.isAlive) return
    this.control = new ControlPlane(this, () => { this.time.after(restartMs, () => this.startControl()) })
  }

  /** A control plane, and hosts that are enrolled and connect. */
  async begin(): Promise<void> {
    this.startControl()
    await this.time.run(this.time.now + 60_000, () => this.control?.services !== undefined)
    for (const name of hostNames) this.#enrol(name)
    await this.time.run(this.time.now + 60_000, () => this.hosts.size === hostNames.length)
    for (const host of this.hosts.values()) host.boot()
  }

  /** A user asks, and hears the answer unless the control plane ends before. */
  ask(number: number, operation: UserOperation): void {
    const { process, services } = this.control!
    this.askedAt.set(number, this.time.now)
    if (!process.isAlive || services === undefined) return this.journal.note("user", `${number} finds nobody`)
    const asked = this.time.now
    if (operation.op === "test") this.testing.set(number, process)
    process.run(perform(number, operation).pipe(Effect.provideContext(services)), (exit) => {
      this.testing.delete(number)
      if (Exit.isFailure(exit)) return this.journal.note("user", `${number} fails: ${reasonOf(exit.cause)}`)
      if ("verdict" in exit.value) {
        this.tested.push({ number, run: exit.value, tookMs: this.time.now - asked })
        return this.journal.note("user", `${number} tested ${exit.value.network}@${exit.value.version}: ${exit.value.state}, ${exit.value.verdict}`)
      }
      for (const change of exit.value) this.acknowledged.push({ principal: principalOf(number), change })
      this.journal.note("user", `${number} done: ${exit.value.map((change) => `${change.network}@${change.version}`).join(" ") || "ok"}`)
    })
  }

  #enrol(name: string): void {
    const control = this.control!
    control.process.run(Effect.gen({ self: this }, function*() {
      const { secret } = yield* (yield* Tokens).create("enrolment", name, 60)
      const { agentId, credential } = yield* (yield* Agents).enrol(secret, AgentName.make(name))
      const host = new Host(name, this)
      host.enrolled(agentId, credential)
      this.hosts.set(name, host)
      this.agentIds.set(name, agentId)
    }).pipe(asPrincipal("operator"), Effect.provideContext(control.services!)))
  }
}

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error).split("\n")[0]!
}
