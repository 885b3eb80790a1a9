/**
 * Sandboxes on two hosts, two networks that change at random, and a developer's machine that has joined one of them, with the reference
 * beside them: each change is made on the real cluster and told to the reference, which must agree whether it may be made at all, and
 * afterwards who reaches whose program.
 */
import { assert } from "@effect/vitest"
import { Laptop } from "../harness/Laptop.ts"
import type { Peer } from "../harness/Peer.ts"
import { ReferencePolicy } from "../harness/ReferencePolicy.ts"
import { type Answer, eventually, type Fixture, type randomOf } from "./fixture.ts"

export const hosts = ["host-1", "host-2"]
export const ports = [7001, 7002, 7003]
const networks = ["red", "blue"]
const aliases = ["app", "web", "job"]
const teams = ["odd", "even"]
/** These stay where they are, one on each host, so that what is measured is policy and not joins of the mesh; and those that are given again. */
const lasting = ["ant", "bee"], replaced = ["dog", "elk"]
const boxes = [...lasting, "cat", ...replaced]
const patienceMs = 60_000
/** Whose machine has joined which network. */
const user = "ann", joined = "red"

export type Step = "allow" | "publish" | "addPort" | "attach" | "move" | "revoke" | "end" | "closePort" | "unpublish" | "detach" | "replace" | "killAgent" | "killControl"

/** The aliases of a network with their addresses. */
type Sight = ReadonlyMap<string, ReadonlyMap<string, string>>
interface ListedRule { readonly id: string; readonly from: string; readonly to: string; readonly port: number; readonly lastPort: number; readonly expiresAt: string | null }

export class PolicyWorld {
  readonly policy = new ReferencePolicy()
  accepted = 0
  readonly #fixture: Fixture
  readonly #random: ReturnType<typeof randomOf>
  #sight: Sight = new Map()
  /** Addresses that an alias had which is no more. */
  readonly #gone = new Set<string>()
  readonly #laptop: Laptop
  #machine: Peer | undefined

  private constructor(fixture: Fixture, random: ReturnType<typeof randomOf>, laptop: Laptop) {
    this.#fixture = fixture
    this.#random = random
    this.#laptop = laptop
  }

  stop(): void {
    this.#machine?.close()
    this.#laptop.remove()
  }

  static async start(fixture: Fixture, random: ReturnType<typeof randomOf>): Promise<PolicyWorld> {
    const world = new PolicyWorld(fixture, random, await Laptop.start(fixture.cluster))
    await Promise.all(boxes.map((name, i) => world.#run(name, hosts[i % 2]!, teams[i % 2]!)))
    for (const network of networks) {
      await fixture.network(network)
      world.policy.create(network)
      for (const name of lasting) await world.#attach(network, name)
      await world.#attach(network, "bee", "app", ports)
      await world.#allow(network, { from: "sandbox:ant", to: "app", port: 7001 })
      await fixture.reachable(fixture.peers.get("ant")!, `app.${network}.gstacks`, 7001, patienceMs)
    }
    await world.#allow(joined, { from: `local:${user}`, to: "app", port: 7002 })
    const ann = world.#laptop.as(user, await fixture.userToken(user))
    await ann.run(`mesh join ${joined}`)
    world.#machine = await ann.peer("machine", "mesh", "exec", joined, "--")
    return world
  }

  addresses(): ReadonlyArray<string> { return [...this.#sight.values()].flatMap((names) => [...names.values()]) }

  /** Makes one change, or tries to; answers what it was. */
  async make(step: Step): Promise<string> {
    const { below, pick } = this.#random
    const network = pick(networks), sandbox = pick(boxes), alias = pick(aliases), port = pick(ports)
    const path = `/networks/${network}`
    const said = async (what: string, made: Promise<Answer>) => `${what} in ${network}: ${(await made).status}`
    switch (step) {
      case "attach": return said(`attach ${sandbox}`, this.#attach(network, sandbox))
      case "publish": return said(`publish ${alias}:${port} by ${sandbox}`, this.#attach(network, sandbox, alias, [port]))
      case "addPort": return said(`add ${alias}:${port} of ${sandbox}`, this.#change("POST", `${path}/aliases`, { sandbox, alias, ports: [port] }, () => this.policy.addAlias(network, sandbox, alias, [port])))
      case "move": return said(`move ${alias} to ${sandbox}`, this.#change("POST", `${path}/aliases/${alias}/move`, { sandbox }, () => this.policy.moveAlias(network, alias, sandbox)))
      case "closePort": return said(`remove ${alias}:${port}`, this.#change("DELETE", `${path}/aliases/${alias}?port=${port}`, undefined, () => this.policy.removeAlias(network, alias, port)))
      case "unpublish": return said(`remove ${alias}`, this.#change("DELETE", `${path}/aliases/${alias}`, undefined, () => this.policy.removeAlias(network, alias)))
      case "detach": {
        const leaving = pick(boxes.filter((name) => !lasting.includes(name)))
        return said(`detach ${leaving}`, this.#change("DELETE", `${path}/attachments/${leaving}`, undefined, () => this.policy.detach(network, leaving)))
      }
      case "allow": {
        const from = pick(["any", "local", `local:${user}`, "local:bob", `sandbox:${sandbox}`, `label:team=${pick(teams)}`, `alias:${pick(aliases)}`, pick(aliases)])
        const [first, last] = pick([[port, port], [port, port], [7001, 7002], [7002, 7003], [1, 65535]] as const)
        const terms = { from, to: alias, port: first, lastPort: last, ...(below(4) === 0 ? { forSeconds: 3600 } : {}) }
        return said(`allow ${JSON.stringify(terms)}`, this.#allow(network, terms))
      }
      case "revoke": case "end": {
        const rules = await this.#rules(network)
        if (rules.length === 0) return `${step}: no rules in ${network}`
        const { id, from, to, port: first, lastPort: last } = pick(rules)
        if (step === "end") {
          const made = this.#allow(network, { from, to, port: first, lastPort: last, forSeconds: 1 })
          return said(`end ${from} to ${to}:${first}-${last}`, made.then((answer) => this.#untilEnded(network).then(() => answer)))
        }
        return said(`revoke ${from} to ${to}:${first}-${last}`, this.#change("DELETE", `${path}/rules/${id}`, undefined, () => this.policy.revoke(network, { from, to, first, last })))
      }
      case "replace": {
        const name = pick(replaced), host = pick(hosts), team = pick(teams)
        await this.#change("DELETE", `/sandboxes/${name}`, undefined, () => this.policy.removeBox(name))
        await this.#run(name, host, team)
        return `${name} is another one, on ${host}, ${team}`
      }
      case "killAgent": return this.#kill("agent", pick(hosts))
      case "killControl": return this.#kill("control", "")
    }
  }

  /** Who reaches whose program is what the reference says, at every address that an alias has or had. */
  async check(history: string): Promise<void> {
    await this.#look()
    await this.#probe(history)
    await this.#probeFromMachine(history)
    for (const network of networks) assert.strictEqual((await this.#rules(network)).length, this.policy.ruleCount(network, Date.now()), `rules of ${network}\n${history}`)
    const source = this.#random.pick(boxes)
    for (const address of this.#gone) assert.strictEqual((await this.#fixture.peers.get(source)!.probe(address, 7001)).result, "ECONNREFUSED", `${source} -> ${address}\n${history}`)
  }

  /** A refusal takes the kernel no time; what is slow once may be this machine, what is slow three times is not. */
  async promptest(source: string, address: string, port: number, ms: number): Promise<number> {
    for (let attempt = 0; attempt < 2 && ms >= 50; attempt++) ms = Math.min(ms, (await this.#fixture.peers.get(source)!.probe(address, port)).ms)
    return ms
  }

  async #run(name: string, host: string, team: string): Promise<void> {
    const peer = await this.#fixture.sandbox(name, host, { team })
    for (const port of ports) await peer.listen(port)
    this.policy.runBox({ name, host, labels: { team } })
  }

  /** The same to both; they must agree whether it may be made. In force everywhere when this returns. */
  async #change(method: string, path: string, body: unknown, expected: (value: any) => boolean): Promise<Answer> {
    const answer = await this.#fixture.api(method, path, body)
    const isMade = answer.status < 300
    assert.strictEqual(isMade, expected(answer.body?.value), `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(answer)}`)
    if (isMade) {
      this.accepted++
      for (const change of answer.body.changes ?? [answer.body.change]) await this.#fixture.applied(change)
    } else assert.isBelow(answer.status, 500, JSON.stringify(answer))
    return answer
  }

  #attach(network: string, sandbox: string, alias?: string, ports: ReadonlyArray<number> = []): Promise<Answer> {
    return this.#change("POST", `/networks/${network}/attachments`, { sandbox, ports, ...(alias === undefined ? {} : { alias }) }, () => this.policy.attach(network, sandbox, alias, ports))
  }

  #allow(network: string, rule: { readonly from: string; readonly to: string; readonly port: number; readonly lastPort?: number; readonly forSeconds?: number }): Promise<Answer> {
    const { from, to, port: first, lastPort: last = first } = rule
    return this.#change("POST", `/networks/${network}/rules`, rule, (made: ListedRule | undefined) =>
      this.policy.allow(network, { from, to, first, last, ...(typeof made?.expiresAt === "string" ? { until: Date.parse(made.expiresAt) } : {}) }))
  }

  async #rules(network: string): Promise<ReadonlyArray<ListedRule>> { return (await this.#fixture.api("GET", `/networks/${network}/rules`)).body }

  /** Rules that end soon have ended, and every host has heard of it. */
  async #untilEnded(network: string): Promise<void> {
    await eventually("rules end", async () => (await this.#rules(network)).every(({ expiresAt }) => expiresAt === null || Date.parse(expiresAt) > Date.now() + patienceMs), patienceMs)
    const { version } = (await this.#fixture.api("GET", `/networks/${network}`)).body.network
    await this.#fixture.applied({ network, version })
  }

  async #look(): Promise<void> {
    const before = this.addresses()
    this.#sight = new Map(await Promise.all(networks.map(async (network) => {
      const { body } = await this.#fixture.api("GET", `/networks/${network}/aliases`)
      return [network, new Map((body as ReadonlyArray<{ readonly name: string; readonly address: string }>).map(({ name, address }) => [name, address]))] as const
    })))
    const now = new Set(this.addresses())
    for (const address of before) if (!now.has(address)) this.#gone.add(address)
    for (const address of now) assert.isFalse(this.#gone.has(address), `${address} was another alias's a moment ago`)
  }

  async #probe(history: string): Promise<void> {
    for (const [network, names] of this.#sight) for (const [alias, address] of names) for (const source of boxes) for (const port of ports) {
      const target = this.policy.target(network, source, alias, port, Date.now())
      const probe = await this.#fixture.peers.get(source)!.probe(address, port)
      const where = `${source} -> ${alias}.${network}:${port}: ${JSON.stringify(probe)}\n${history}`
      if (target !== undefined) assert.deepStrictEqual([probe.result, probe.text], ["open", `${target.name}:${port}`], where)
      else {
        assert.strictEqual(probe.result, "ECONNREFUSED", where)
        assert.isBelow(await this.promptest(source, address, port, probe.ms), 50, where)
      }
    }
  }

  /** A machine hears of a change when it renews, and no receipt tells when that was. */
  async #probeFromMachine(history: string): Promise<void> {
    for (const [network, names] of this.#sight) for (const [alias, address] of names) for (const port of ports) {
      const target = network === joined ? this.policy.targetOfMachines(network, user, alias, port, Date.now()) : undefined
      const expected = target === undefined ? "ECONNREFUSED" : `open ${target.name}:${port}`
      let seen = ""
      await eventually(`${user}'s machine -> ${alias}.${network}:${port}: ${expected}`, async () => {
        const { result, text } = await this.#machine!.probe(address, port)
        seen = text === undefined ? result : `${result} ${text}`
        return seen === expected
      }, patienceMs).catch((error: Error) => assert.fail(`${error.message}; at last ${seen}\n${history}`))
    }
  }

  /** While it is dead, everything is as before; ended when it is back and knows its hosts again. */
  async #kill(role: "agent" | "control", host: string): Promise<string> {
    await this.#look()
    const agents = async (): Promise<ReadonlyArray<any>> => (await this.#fixture.api("GET", "/agents").catch(() => ({ body: [] }))).body
    const startOf = (of: ReadonlyArray<any>) => of.find(({ name }) => name === host)?.host.startedAt
    const start = startOf(await agents()), pid = this.#fixture.cluster.pid(role, host)
    this.#fixture.cluster.kill(role, host)
    await this.#probe(`${role} ${host} is dead`)
    await eventually(`${role} ${host} is back`, async () => {
      const now = this.#fixture.cluster.pid(role, host), known = await agents()
      return now !== undefined && now !== pid && known.length === hosts.length && known.every(({ online }) => online) && (role === "control" || startOf(known) !== start)
    }, patienceMs)
    return `kill ${role} ${host}`
  }
}
