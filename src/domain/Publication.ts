/**
 * Ports of developers' machines as aliases. To join a network is not to publish in it: a user publishes where somebody made that user a
 * publisher of the network, and then for a time only.
 */
import { Schema } from "effect"
import { LocalNodeId } from "./Ids.ts"
import { MachineName } from "./LocalNode.ts"
import { UserName } from "./Selector.ts"

/** Times are ISO 8601. */
export const Publisher = Schema.Struct({ user: UserName, allowedAt: Schema.String, allowedBy: Schema.String })
export type Publisher = typeof Publisher.Type

/** The joined machine behind an alias, and when that alias ends at the latest. */
export const PublishedFrom = Schema.Struct({ id: LocalNodeId, user: UserName, machine: MachineName, expiresAt: Schema.String })
export type PublishedFrom = typeof PublishedFrom.Type

export const longestSeconds = 24 * 60 * 60
export const ForSeconds = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: longestSeconds }, { message: "seconds, at most a day" }))
/** At a time, over all networks. */
export const mostPerUser = 16

export const publishedFromText = ({ user, machine, expiresAt }: PublishedFrom): string => `local:${user} (${machine}) until ${expiresAt}`
