/**
 * What ought to be, told from what users asked for and in which order the audit log says that it was done. It shares nothing with the
 * product's evaluator and its tables: names are looked up here, rules are judged here, what goes with what is known here.
 */
import type { DiagnosticRun } from "../../src/domain/Diagnostic.ts"
import type { Schedule, UserOperation } from "./schedule.ts"
import { numberOf } from "./users.ts"
import type { WallClock } from "./WallClock.ts"

export interface AuditRow { readonly actor: string; readonly action: string; readonly network_id: string | null; readonly version: number | null; readonly detail: any; readonly at: Date }

interface Box { readonly id: string; readonly name: string; readonly host: string; readonly team: string }
interface Alias { readonly name: string; box: string; readonly ports: Set<number> }
/** `from` as the user wrote it, but a box by its id and an alias as itself. `until`: milliseconds since the epoch, or for ever. */
interface Rule { readonly id: string; readonly from: string | Alias; readonly to: Alias; readonly port: number; until: number }
interface Network { readonly id: string; readonly name: string; version: number; isDeleted: boolean; members: Set<string>; aliases: Array<Alias>; rules: Array<Rule> }

export interface Pair { readonly source: string; readonly sourceHost: string; readonly alias: string; readonly port: number; readonly target: string; readonly targetHost: string; readonly until: number }
export const keyOf = ({ source, alias, port }: Pick<Pair, "source" | "alias" | "port">): string => `${source} > ${alias}:${port}`

/** How long it may take from asking for a rule until its end is computed. */
const askingMs = 10_000

/** What is known of the control plane's clock, by which rules' ends are computed and the log is written. */
export interface ControlTime { readonly clock: WallClock; readonly askedAt: ReadonlyMap<number, number> }

export class Oracle {
  readonly networks = new Map<string, Network>()
  /** Alive ones, by id. */
  readonly boxes = new Map<string, Box>()
  /** Of all that there ever were. */
  readonly #boxNames = new Map<string, string>()
  readonly removedAgents = new Set<string>()
  /** What the log itself tells that ought not to be. */
  readonly objections: Array<string> = []
  /** The rules of which the log tells that they went with what they were bound to. */
  readonly #told = new Set<string>()
  readonly #allowed = new Map<string, ReadonlyMap<string, number>>()

  readonly #control: ControlTime

  constructor(log: ReadonlyArray<AuditRow>, schedule: Schedule, control: ControlTime) {
    this.#control = control
    const operations = new Map<number, UserOperation>(schedule.flatMap(({ number, action }) => "op" in action ? [[number, action]] : []))
    for (const row of log) {
      const number = numberOf(row.actor)
      this.#follow(row, number === undefined ? undefined : operations.get(number))
      const network = row.network_id === null ? undefined : this.networks.get(row.network_id)
      if (network === undefined) continue
      network.version = row.version!
      this.#allowed.set(`${network.id}@${network.version}`, lastEnds(this.pairs(network)))
    }
  }

  /** The keys that a version of a network allows, each with its end. */
  allowed(network: string, version: number): ReadonlyMap<string, number> | undefined { return this.#allowed.get(`${network}@${version}`) }
  /** When the newest version of a network ends what a key allows; 0: it does not allow it. */
  endOf(network: string, key: string): number { return this.allowed(network, this.networks.get(network)?.version ?? 0)?.get(key) ?? 0 }
  /** Whether the version that was tested allows what was asked for one sandbox; undefined: it is not told from here. */
  isAllowed({ network, version, source, alias, port, startedAt }: DiagnosticRun): boolean | undefined {
    const versions = [...this.networks.values()].flatMap(({ id, name }) => name === network ? this.allowed(id, version) ?? [] : [])
    if (!source.startsWith("sandbox:") || versions.length !== 1) return undefined
    return [...versions[0]!].some(([key, until]) => {
      const [id, target] = key.split(" > ")
      return `sandbox:${this.#boxNames.get(id!)}` === source && target === `${alias}:${port}` && until > Date.parse(startedAt)
    })
  }
  get living(): ReadonlyArray<Network> { return [...this.networks.values()].filter((network) => !network.isDeleted) }
  /** The hosts of a network's members. */
  hostsOf(network: Network): ReadonlySet<string> { return new Set([...network.members].map((id) => this.boxes.get(id)!.host)) }

  pairs(network: Network): ReadonlyArray<Pair> {
    if (network.isDeleted) return []
    return network.rules.flatMap(({ from, to, port, until }) => [...network.members].map((id) => this.boxes.get(id)!).filter((box) => isMeant(from, box)).map((box) => {
      const target = this.boxes.get(to.box)!
      return { source: box.id, sourceHost: box.host, alias: to.name, port, target: target.id, targetHost: target.host, until }
    }))
  }

  #follow({ actor, action, network_id, detail, at }: AuditRow, operation: any): void {
    const network = network_id === null ? undefined : this.networks.get(network_id)!
    switch (action) {
      case "network.create": return void this.networks.set(network_id!, { id: network_id!, name: detail.name, version: 0, isDeleted: false, members: new Set(), aliases: [], rules: [] })
      case "network.remove": {
        for (const box of network!.members) this.#leave(network!, box)
        network!.isDeleted = true
        return
      }
      case "network.attach": {
        network!.members.add(detail.sandboxId)
        if (operation.alias !== undefined) publish(network!, detail.sandboxId, operation.alias, [operation.port])
        return
      }
      case "network.detach": return this.#leave(network!, detail.sandboxId)
      case "alias.add": return publish(network!, detail.sandboxId, detail.name, [operation.port])
      case "alias.remove": return this.#unpublish(network!, operation.alias, operation.port)
      case "alias.move": return void (aliasOf(network!, operation.alias).box = detail.sandboxId)
      case "rule.allow": {
        const from = this.#bind(network!, operation.from), to = aliasOf(network!, operation.alias)
        const until = this.#endOf(detail, operation.forSeconds, this.#control.askedAt.get(numberOf(actor)!)!)
        const known = network!.rules.find((rule) => rule.from === from && rule.to === to && rule.port === operation.port)
        if (known === undefined) network!.rules.push({ id: detail.id, from, to, port: operation.port, until })
        else known.until = until
        return
      }
      case "rule.expire": {
        const until = network!.rules.find((rule) => rule.id === detail.id)?.until
        if (until === undefined || !this.#control.clock.showedBefore(until, at.getTime())) this.objections.push(`rule ${detail.id} was ended ${until === undefined ? "and was not there" : "before its time"}`)
        network!.rules = network!.rules.filter((rule) => rule.id !== detail.id)
        return
      }
      case "rule.end": {
        if (network!.rules.every((rule) => rule.id !== detail.id)) this.objections.push(`rule ${detail.id} was ended, as ${detail.because}, and was not there`)
        this.#told.add(detail.id)
        return
      }
      case "rule.revoke": return void (network!.rules = network!.rules.filter((rule) => rule.id !== detail.id))
      case "sandbox.run":
        this.#boxNames.set(detail.id, detail.name)
        return void this.boxes.set(detail.id, { id: detail.id, name: detail.name, host: detail.agent, team: operation.team })
      case "sandbox.remove": {
        if (network !== undefined) {
          this.#leave(network, detail.id)
          this.#end(network, (rule) => rule.from === `sandbox:${detail.id}`)
        }
        return void this.boxes.delete(detail.id)
      }
      case "agent.remove": return void this.removedAgents.add(detail.name)
    }
  }

  #unpublish(network: Network, name: string, port: number | undefined): void {
    const alias = aliasOf(network, name)
    if (port !== undefined) alias.ports.delete(port)
    if (port !== undefined && alias.ports.size > 0) this.#end(network, (rule) => rule.to === alias && rule.port === port)
    else this.#drop(network, alias)
  }

  #leave(network: Network, box: string): void {
    network.members.delete(box)
    for (const alias of network.aliases.filter((one) => one.box === box)) this.#drop(network, alias)
  }

  #drop(network: Network, alias: Alias): void {
    network.aliases = network.aliases.filter((other) => other !== alias)
    this.#end(network, (rule) => rule.from === alias || rule.to === alias)
  }

  /** What goes with something else was told one by one before. */
  #end(network: Network, goes: (rule: Rule) => boolean): void {
    for (const { id } of network.rules.filter(goes)) if (!this.#told.has(id)) this.objections.push(`rule ${id} went with something else, and the log does not tell`)
    network.rules = network.rules.filter((rule) => !goes(rule))
  }

  /** To the millisecond it is what the control plane says, if that is what was asked for. */
  #endOf({ id, expiresAt }: { readonly id: string; readonly expiresAt: string | null }, forSeconds: number | undefined, askedAt: number): number {
    const until = expiresAt === null ? Infinity : Date.parse(expiresAt)
    const isAsAsked = forSeconds === undefined ? until === Infinity : this.#control.clock.showed(until - forSeconds * 1000, askedAt, askedAt + askingMs)
    if (!isAsAsked) this.objections.push(`rule ${id} was to last ${forSeconds ?? "any number of"} seconds, and ends at ${expiresAt}`)
    return until
  }

  #bind(network: Network, from: string): string | Alias {
    if (from === "any" || from === "local" || from.startsWith("label:")) return from
    if (!from.startsWith("sandbox:")) return aliasOf(network, from)
    const name = from.slice("sandbox:".length)
    return `sandbox:${[...this.boxes.values()].find((box) => box.name === name)!.id}`
  }
}

/** What several rules allow lasts as long as the last of them. */
const lastEnds = (pairs: ReadonlyArray<Pair>): ReadonlyMap<string, number> => {
  const ends = new Map<string, number>()
  for (const pair of pairs) ends.set(keyOf(pair), Math.max(pair.until, ends.get(keyOf(pair)) ?? 0))
  return ends
}

const isMeant = (from: string | Alias, box: Box): boolean =>
  typeof from === "object" ? from.box === box.id : from === "any" || from === `sandbox:${box.id}` || from === `label:team=${box.team}`

const aliasOf = (network: Network, name: string): Alias => network.aliases.find((alias) => alias.name === name)!

const publish = (network: Network, box: string, name: string, ports: ReadonlyArray<number>): void => {
  const known = network.aliases.find((alias) => alias.name === name)
  if (known === undefined) network.aliases.push({ name, box, ports: new Set(ports) })
  else for (const port of ports) known.ports.add(port)
}
