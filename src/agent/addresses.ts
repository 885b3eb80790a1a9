/** Where each actor of this agent stands in the tree. */
import type { AliasId, NetworkId, SandboxId } from "../domain/Ids.ts"

export const root = "agent"
export const link = `${root}/link`
export const dataPlane = `${root}/dataplane`
export const dns = `${root}/dns`
export const sandboxes = `${root}/sandboxes`
export const sandbox = (id: SandboxId): string => `${sandboxes}/${id}`
export const networks = `${root}/networks`
export const network = (id: NetworkId): string => `${networks}/${id}`
export const topology = (id: NetworkId): string => `${network(id)}/topology`
export const join = (id: NetworkId): string => `${network(id)}/join`
/** The id of an alias's listener below its network. */
export const aliasId = (alias: AliasId, port: number): string => `alias/${alias}:${port}`
export const alias = (network: NetworkId, alias: AliasId, port: number): string => `${networks}/${network}/${aliasId(alias, port)}`
