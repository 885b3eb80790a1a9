/** Does the network's name resolve where the source's programs ask? */
import { Effect } from "effect"
import { hostName } from "../../../domain/DnsLabel.ts"
import { resolverAddress } from "../../../domain/VirtualAddress.ts"
import { DataPlane } from "../../dataplane/DataPlane.ts"
import { Knowledge } from "../../Knowledge.ts"
import { type Check, fail, type Finding, nameOf, pass, stopped, warn } from "../Finding.ts"
import { HostSigns, type Resolver } from "../HostSigns.ts"

export const dns: Check = (request, network, alias) => Effect.gen(function*() {
  const { inForce, sandbox } = yield* DataPlane
  const { running } = yield* Knowledge
  const signs = yield* HostSigns
  const name = hostName(alias.name, network.name)
  if (request.role === "target" || request.source === null) return (yield* hostListener) ?? pass(`${name} is ${alias.address}`)
  const plan = (yield* inForce)?.plan
  const process = running.get(request.source)
  if (process === undefined) return stopped(network, request.source)
  const sandboxName = nameOf(network, request.source)
  const served = yield* sandbox(request.source)
  if (served?.ok === false) return fail(`meshd cannot serve the sandbox: ${served.error ?? "no reason given"}`, `see meshd's log; run the sandbox again: ${runAgain(sandboxName)}`, { pid: String(process.pid) })
  const placed = plan?.sandboxes.find(({ id }) => id === request.source)
  if (plan?.zones.find(({ id }) => id === placed?.zone)?.names[name] === undefined) {
    return fail(`the sandbox's zone has no ${name}`, "try again in a second; see the topology check", { zone: placed?.zone ?? "none" })
  }
  const resolver = signs.resolver(process.pid)
  if (resolver !== undefined && !resolver.servers.includes(resolverAddress)) return foreign(sandboxName, resolver)
  return (yield* hostListener) ?? pass(`the sandbox resolves ${name} to ${alias.address}`)
})

const runAgain = (name: string): string => `gstacks sandbox run ${name} --replace -- <command>`

/** Every sandbox gets a file of its own, over the host's; another one may lie over that. */
const foreign = (name: string, { servers, mounted }: Resolver): Finding => {
  const evidence = { nameservers: servers.length === 0 ? "none" : servers.join(", "), wanted: resolverAddress, mounted: mounted ?? "nothing: it is the host's file" }
  return mounted === undefined
    ? fail(`the sandbox asks the host's name servers: it was started before this agent served its names`, `run the sandbox again: ${runAgain(name)}`, evidence)
    : fail(`the sandbox's /etc/resolv.conf is not the agent's: ${mounted} lies over it, which does not name ${resolverAddress}`, `run the sandbox again without a --bind over /etc/resolv.conf: ${runAgain(name)}`, evidence)
}

/** Programs on the host itself ask there; sandboxes of the built-in driver do not. */
const hostListener = Effect.gen(function*() {
  const { dnsListener, dnsPort } = yield* HostSigns
  const listener = yield* dnsListener
  if (listener === undefined || listener.state === "serving" || listener.error === null) return undefined
  return warn(`names do not resolve on the host itself: ${listener.error}`,
    `find who has the address (ss -lntup 'sport = :${dnsPort}'), or set GLOBALSTACKS_AGENT_MESH_DNS_ADDR to another and restart the agent`, { listener: listener.state })
})
