/** The reachability matrix on the real parts: what connects is exactly what a small oracle says, whatever was changed and in which order. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Peer } from "../harness/Peer.ts"
import { Fixture, newSeed, randomOf } from "./fixture.ts"

const hosts = ["host-1", "host-2"]
const sandboxes = ["ant", "bee", "cat", "dog", "elk"]
const ports = [7001, 7002]
const networks = ["red", "blue"]
const aliases = ["app", "web", "job"]

interface Rule { readonly id: string; readonly from: string; readonly alias: string; readonly port: number; readonly kind: "any" | "sandbox" | "label" | "alias"; readonly what: string }
interface Alias { sandbox: string; address: string; readonly ports: Set<number> }
interface World { readonly members: Set<string>; readonly aliases: Map<string, Alias>; rules: Array<Rule> }

const team = (sandbox: string): string => (sandboxes.indexOf(sandbox) % 2 === 0 ? "even" : "odd")

/** The whole policy in a few lines, written apart from the product. */
const allowed = (world: World, source: string, alias: string, port: number): boolean => {
  const target = world.aliases.get(alias)
  if (!target?.ports.has(port) || !world.members.has(source)) return false
  return world.rules.some((r) => r.alias === alias && r.port === port && (
    r.kind === "any" || (r.kind === "sandbox" && r.what === source) || (r.kind === "label" && r.what === team(source)) ||
    (r.kind === "alias" && world.aliases.get(r.what)?.sandbox === source)))
}

describe("reachability matrix", () => {
  let fixture: Fixture
  const peers = new Map<string, Peer>()
  const seed = newSeed()
  const random = randomOf(seed)
  const worlds = new Map<string, World>(networks.map((n) => [n, { members: new Set<string>(), aliases: new Map(), rules: [] }]))

  beforeAll(async () => {
    fixture = await Fixture.start(2)
    await Promise.all(sandboxes.map(async (name, i) => { peers.set(name, await fixture.sandbox(name, hosts[i % 2]!, { team: team(name) })) }))
    for (const peer of peers.values()) for (const port of ports) await peer.listen(port)
    for (const network of networks) await fixture.network(network)
    // Both hosts join both meshes once, so that what follows measures policy and not joins.
    for (const network of networks) for (const name of sandboxes.slice(0, 2)) await fixture.attach(network, name)
    for (const network of networks) {
      await fixture.attach(network, "ant", "warm", [7001])
      const rule = await fixture.allow(network, "any", "warm", 7001)
      await fixture.reachable(peers.get("bee")!, `warm.${network}.gstacks`, 7001)
      await fixture.change("DELETE", `/networks/${network}/aliases/warm`)
      assert.isString(rule.id)
      worlds.get(network)!.members.add("ant").add("bee")
    }
  }, 180_000)
  afterAll(() => fixture?.stop(), 60_000)

  const step = async (): Promise<string> => {
    const network = random.pick(networks)
    const world = worlds.get(network)!
    const sandbox = random.pick(sandboxes)
    const alias = random.pick(aliases)
    const port = random.pick(ports)
    const path = `/networks/${network}`
    const dropAlias = (name: string) => {
      world.aliases.delete(name)
      world.rules = world.rules.filter((r) => r.alias !== name && !(r.kind === "alias" && r.what === name))
    }
    const action = random.below(10)
    if (action < 3 && !world.aliases.has(alias)) {
      if (world.members.has(sandbox)) await fixture.change("POST", `${path}/aliases`, { sandbox, alias, ports: [port] })
      else await fixture.attach(network, sandbox, alias, [port])
      world.members.add(sandbox)
      const { body } = await fixture.api("GET", `${path}/resolve/${alias}`)
      world.aliases.set(alias, { sandbox, address: body.address, ports: new Set([port]) })
      return `publish ${alias}:${port} by ${sandbox} in ${network}`
    }
    if (action < 7 && world.aliases.has(alias) && world.aliases.get(alias)!.ports.has(port)) {
      const kind = random.pick(["any", "sandbox", "label", "alias"] as const)
      const what = kind === "sandbox" ? sandbox : kind === "label" ? team(sandbox) : kind === "alias" ? random.pick([...world.aliases.keys()]) : ""
      const from = kind === "any" ? "any" : kind === "sandbox" ? `sandbox:${what}` : kind === "label" ? `label:team=${what}` : `alias:${what}`
      const rule = await fixture.allow(network, from, alias, port)
      world.rules.push({ id: rule.id, from, alias, port, kind, what })
      return `allow ${from} -> ${alias}:${port} in ${network}`
    }
    if (action === 7 && world.rules.length > 0) {
      const rule = random.pick(world.rules)
      await fixture.revoke(network, rule.id)
      world.rules = world.rules.filter((r) => r.id !== rule.id)
      return `revoke ${rule.from} -> ${rule.alias}:${rule.port} in ${network}`
    }
    if (action === 8 && world.aliases.has(alias) && world.members.has(sandbox)) {
      await fixture.change("POST", `${path}/aliases/${alias}/move`, { sandbox })
      world.aliases.get(alias)!.sandbox = sandbox
      return `move ${alias} to ${sandbox} in ${network}`
    }
    if (action === 9 && world.members.has(sandbox) && random.chance(0.4)) {
      await fixture.change("DELETE", `${path}/attachments/${sandbox}`)
      world.members.delete(sandbox)
      for (const [name, a] of [...world.aliases]) if (a.sandbox === sandbox) dropAlias(name)
      return `detach ${sandbox} from ${network}`
    }
    return ""
  }

  /** A refusal takes the kernel no time; what is slow once may be this machine, what is slow three times is not. */
  const promptest = async (source: string, address: string, port: number, ms: number): Promise<number> => {
    for (let attempt = 0; attempt < 2 && ms >= 50; attempt++) ms = Math.min(ms, (await peers.get(source)!.probe(address, port)).ms)
    return ms
  }

  const check = async (history: ReadonlyArray<string>): Promise<void> => {
    for (const network of networks) {
      const world = worlds.get(network)!
      for (const [alias, target] of world.aliases) for (const source of sandboxes) for (const port of ports) {
        const probe = await peers.get(source)!.probe(target.address, port)
        const where = `seed ${seed}: ${source} -> ${alias}.${network}:${port}\n${history.slice(-12).join("\n")}\n${JSON.stringify(probe)}`
        if (allowed(world, source, alias, port)) {
          assert.strictEqual(probe.result, "open", where)
          assert.strictEqual(probe.text, `${target.sandbox}:${port}`, where)
        } else {
          assert.strictEqual(probe.result, "ECONNREFUSED", where)
          assert.isBelow(await promptest(source, target.address, port, probe.ms), 50, where)
        }
      }
    }
  }

  it("equals the oracle after every few of many random changes", async () => {
    const history: Array<string> = []
    for (let round = 0; round < 16; round++) {
      for (let done = 0; done < 4;) {
        const what = await step()
        if (what !== "") { history.push(what); done++ }
      }
      await check(history)
    }
    assert.isAbove(history.length, 60)
  }, 240_000)

  it("is refused while meshd is dead, too, although the app here listens on that very port", async () => {
    const world = worlds.get("red")!
    const denied: Array<readonly [string, string]> = []
    for (const [alias, target] of world.aliases) for (const source of sandboxes.filter((_, i) => i % 2 === 0))
      if (!allowed(world, source, alias, 7001)) denied.push([source, target.address])
    if (denied.length === 0) denied.push(["ant", "127.64.9.9"])
    fixture.cluster.freeze("meshd", "host-1")
    try {
      for (const [source, address] of denied) {
        const probe = await peers.get(source)!.probe(address, 7001)
        assert.strictEqual(probe.result, "ECONNREFUSED")
        assert.isBelow(await promptest(source, address, 7001, probe.ms), 50)
      }
    } finally { fixture.cluster.thaw("meshd", "host-1") }
  }, 60_000)
})
