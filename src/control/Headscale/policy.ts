/**
 * Headscale's policy: who may open connections to whom inside the mesh. Two tags per network, for the agents' nodes and for
 * developers' machines; both may reach agents, on meshd's port and nothing else. What a stream may do is decided by permits.
 */
import type { NetworkId } from "../../domain/Ids.ts"

/** meshd's listener on every node. */
const meshPort = 7000

export type TagRole = "agent" | "local"
const prefix = "tag:net-"
export const tagOf = (network: NetworkId, role: TagRole): string => `${prefix}${network.slice("net_".length)}-${role}`

/** The network whose agents or local nodes carry this tag, as the id's part after `net_`. */
export const networkOfTag = (tag: string): string | undefined => /^tag:net-([0-9a-z]+)-(agent|local)$/.exec(tag)?.[1]

interface Grant { readonly src: ReadonlyArray<string>; readonly dst: ReadonlyArray<string>; readonly ip: ReadonlyArray<string> }

/**
 * A network's nodes see only one another, and no local node reaches another one: an agent reaches them for what they publish. A policy without any grant would be read as "everything is allowed", so there always is one.
 */
export const policyFor = (networks: ReadonlyArray<NetworkId>): string => {
  const sorted = [...networks].sort()
  const tags = sorted.flatMap((network) => [tagOf(network, "agent"), tagOf(network, "local")])
  const grants = sorted.flatMap((network): ReadonlyArray<Grant> => {
    const agent = tagOf(network, "agent"), local = tagOf(network, "local"), ip = [`tcp:${meshPort}`]
    return [{ src: [agent, local], dst: [agent], ip }, { src: [agent], dst: [local], ip }]
  })
  const nobody: Grant = { src: ["tag:nobody"], dst: ["tag:nobody"], ip: [`tcp:${meshPort}`] }
  return JSON.stringify({ tagOwners: Object.fromEntries(["tag:nobody", ...tags].map((tag) => [tag, []])), grants: [nobody, ...grants] })
}

export const denyAll = policyFor([])
