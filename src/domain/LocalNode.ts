/** Developers' machines that have joined a network: local nodes. Each belongs to one user, one network and one machine, and lives as long as it is renewed. */
import { Schema } from "effect"
import { LocalNodeId, MachineId } from "./Ids.ts"
import { UserName } from "./Selector.ts"

/** What the owner calls the machine; shown, never trusted. */
export const MachineName = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, { message: "a machine's name: letters, digits and . _ -, at most 63 characters" }))

/** `left` by its user, `revoked` by an administrator or with its token, `replaced` by a newer join of the machine, `expired` for lack of renewal. */
export const LocalNodeEnd = Schema.Literals(["left", "revoked", "replaced", "expired"])
export type LocalNodeEnd = typeof LocalNodeEnd.Type

/** `address` null: its node has not come up yet. Times are ISO 8601. */
export const LocalNode = Schema.Struct({
  id: LocalNodeId, user: UserName, machineId: MachineId, machine: MachineName, address: Schema.NullOr(Schema.String),
  createdAt: Schema.String, seenAt: Schema.String, expiresAt: Schema.String
})
export type LocalNode = typeof LocalNode.Type
