/**
 * Who may reach whom, told from what users asked for: written from the words of the product's model alone, apart from its code. What a rule
 * is bound to is the thing itself, so a name that is given again is another. Each change answers whether it may be made at all.
 */
export interface Box { readonly name: string; readonly host: string; readonly labels: Readonly<Record<string, string>> }
export interface Alias { readonly name: string; box: Box; readonly ports: Set<number> }
/** A developer's machine that has joined, until a time unless it stays in touch. */
export interface Machine { readonly user: string; readonly name: string; until: number }
type From = "any" | Box | Alias | { readonly key: string; readonly value: string } | { readonly machinesOf: string | null }
interface Rule { readonly from: From; readonly to: Alias; readonly first: number; readonly last: number; until: number }
interface Network { readonly members: Set<Box>; aliases: Array<Alias>; rules: Array<Rule>; machines: Array<Machine> }
/** `until`: milliseconds since the epoch. */
export interface Wish { readonly from: string; readonly to: string; readonly first: number; readonly last: number; readonly until?: number }

/** How long a join lasts of which nothing more is heard; a machine that is heard of puts its end off when half of that is over. */
const joinMs = 3_600_000

export class ReferencePolicy {
  readonly boxes = new Map<string, Box>()
  readonly networks = new Map<string, Network>()

  create(network: string): void { this.networks.set(network, { members: new Set(), aliases: [], rules: [], machines: [] }) }

  runBox(box: Box): boolean { return !this.boxes.has(box.name) && this.boxes.set(box.name, box) !== undefined }

  removeBox(name: string): boolean {
    const box = this.boxes.get(name)
    if (box === undefined) return false
    for (const network of this.networks.values()) {
      this.#leave(network, box)
      network.rules = network.rules.filter((rule) => rule.from !== box)
    }
    return this.boxes.delete(name)
  }

  attach(network: string, boxName: string, alias?: string, ports: ReadonlyArray<number> = []): boolean {
    const { members } = this.#at(network), box = this.boxes.get(boxName)
    if (box === undefined || (alias !== undefined && !this.#mayPublish(network, box, alias))) return false
    members.add(box)
    if (alias !== undefined) this.#publish(network, box, alias, ports)
    return true
  }

  detach(network: string, boxName: string): boolean {
    const box = this.#member(network, boxName)
    if (box !== undefined) this.#leave(this.#at(network), box)
    return box !== undefined
  }

  addAlias(network: string, boxName: string, alias: string, ports: ReadonlyArray<number>): boolean {
    const box = this.#member(network, boxName)
    if (box === undefined || !this.#mayPublish(network, box, alias)) return false
    this.#publish(network, box, alias, ports)
    return true
  }

  removeAlias(network: string, name: string, port?: number): boolean {
    const at = this.#at(network), alias = this.alias(network, name)
    if (alias === undefined || (port !== undefined && !alias.ports.has(port))) return false
    if (port === undefined || alias.ports.size === 1) this.#unpublish(at, alias)
    else {
      alias.ports.delete(port)
      at.rules = at.rules.filter(({ to, first, last }) => to !== alias || first !== port || last !== port)
    }
    return true
  }

  moveAlias(network: string, name: string, boxName: string): boolean {
    const alias = this.alias(network, name), box = this.#member(network, boxName)
    if (alias === undefined || box === undefined) return false
    alias.box = box
    return true
  }

  /** Takes the place of the join of that machine, if there is one. */
  join(network: string, user: string, name: string, now: number): void {
    this.leave(network, name, now)
    this.#at(network).machines.push({ user, name, until: now + joinMs })
  }

  leave(network: string, name: string, now: number): boolean {
    const at = this.#at(network), left = this.machines(network, now).filter((machine) => machine.name !== name)
    const isThere = left.length < this.machines(network, now).length
    at.machines = left
    return isThere
  }

  /** All machines that are joined are heard of. */
  hear(network: string, now: number): void {
    for (const machine of this.machines(network, now)) if (machine.until - now <= joinMs / 2) machine.until = now + joinMs
  }

  allow(network: string, { from: written, to, first, last, until = Infinity }: Wish): boolean {
    const { rules } = this.#at(network), from = this.#from(network, written), alias = this.alias(network, to)
    if (from === undefined || alias === undefined || ![...alias.ports].some((port) => first <= port && port <= last)) return false
    const known = rules.find((rule) => isSame(rule.from, from) && rule.to === alias && rule.first === first && rule.last === last)
    if (known === undefined) rules.push({ from, to: alias, first, last, until })
    else known.until = until
    return true
  }

  /** The rule that was allowed by the same words, if it is still there. */
  revoke(network: string, { from: written, to, first, last }: Wish): boolean {
    const at = this.#at(network), from = this.#from(network, written), alias = this.alias(network, to)
    const left = at.rules.filter((rule) => from === undefined || !isSame(rule.from, from) || rule.to !== alias || rule.first !== first || rule.last !== last)
    const isThere = left.length < at.rules.length
    at.rules = left
    return isThere
  }

  /** Whose program answers `boxName` at a time; undefined: it is refused. */
  target(network: string, boxName: string, aliasName: string, port: number, now: number): Box | undefined {
    const box = this.#member(network, boxName), alias = this.alias(network, aliasName)
    if (box === undefined || !alias?.ports.has(port)) return undefined
    return this.#inForce(network, now).some(({ from, to, first, last }) => to === alias && first <= port && port <= last && covers(from, box)) ? alias.box : undefined
  }

  /** Whose program answers the machines of `user`, or by a rule for all of them those of everybody. */
  targetOfMachines(network: string, user: string | undefined, aliasName: string, port: number, now: number): Box | undefined {
    const alias = this.alias(network, aliasName)
    if (!alias?.ports.has(port)) return undefined
    return this.#inForce(network, now).some(({ from, to, first, last }) => to === alias && first <= port && port <= last && isForMachinesOf(from, user)) ? alias.box : undefined
  }

  machines(network: string, now: number): ReadonlyArray<Machine> { return this.#at(network).machines.filter(({ until }) => now < until) }
  /** How the rules name machines. */
  machineSources(network: string, now: number): ReadonlySet<string> {
    return new Set(this.#inForce(network, now).flatMap(({ from }) => typeof from !== "object" || !("machinesOf" in from) ? [] : [from.machinesOf === null ? "local" : `local:${from.machinesOf}`]))
  }
  alias(network: string, name: string): Alias | undefined { return this.#at(network).aliases.find((alias) => alias.name === name) }
  isMember(network: string, boxName: string): boolean { return this.#member(network, boxName) !== undefined }
  ruleCount(network: string, now: number): number { return this.#inForce(network, now).length }
  ruleCountOfMachines(network: string, user: string, now: number): number { return this.#inForce(network, now).filter(({ from }) => isForMachinesOf(from, user)).length }

  #at(network: string): Network { return this.networks.get(network)! }
  #inForce(network: string, now: number): ReadonlyArray<Rule> { return this.#at(network).rules.filter(({ until }) => now < until) }
  #member(network: string, boxName: string): Box | undefined {
    const box = this.boxes.get(boxName)
    return box !== undefined && this.#at(network).members.has(box) ? box : undefined
  }
  #from(network: string, written: string): From | undefined {
    if (written === "any") return written
    if (written === "local") return { machinesOf: null }
    if (written.startsWith("local:")) return { machinesOf: written.slice("local:".length) }
    if (written.startsWith("sandbox:")) return this.boxes.get(written.slice("sandbox:".length))
    if (!written.startsWith("label:")) return this.alias(network, written.replace("alias:", ""))
    const [key, value] = written.slice("label:".length).split("=")
    return { key: key!, value: value! }
  }
  #mayPublish(network: string, box: Box, name: string): boolean { return [undefined, box].includes(this.alias(network, name)?.box) }
  #publish(network: string, box: Box, name: string, ports: ReadonlyArray<number>): void {
    const known = this.alias(network, name)
    if (known === undefined) this.#at(network).aliases.push({ name, box, ports: new Set(ports) })
    else for (const port of ports) known.ports.add(port)
  }
  #unpublish(network: Network, alias: Alias): void {
    network.aliases = network.aliases.filter((other) => other !== alias)
    network.rules = network.rules.filter(({ from, to }) => from !== alias && to !== alias)
  }
  #leave(network: Network, box: Box): void {
    network.members.delete(box)
    for (const alias of network.aliases) if (alias.box === box) this.#unpublish(network, alias)
  }
}

const isSame = (a: From, b: From): boolean => {
  if (typeof a === "string" || typeof b === "string") return a === b
  if ("key" in a) return "key" in b && a.key === b.key && a.value === b.value
  return "machinesOf" in a ? "machinesOf" in b && a.machinesOf === b.machinesOf : a === b
}

const isForMachinesOf = (from: From, user: string | undefined): boolean =>
  typeof from === "object" && "machinesOf" in from && (from.machinesOf === null || from.machinesOf === user)

const covers = (from: From, box: Box): boolean => {
  if (from === "any") return true
  if ("machinesOf" in from) return false
  if ("key" in from) return box.labels[from.key] === from.value
  return ("box" in from ? from.box : from) === box
}
