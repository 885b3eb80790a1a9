/** What is said of a join: its state, why it is not joined, and what to do. Pure. */
import type { JoinStatus } from "../../protocol/local/MeshRpcs.ts"

export interface Seen {
  readonly network: string
  /** The actor's state; "left" when it is gone. */
  readonly at: string
  readonly expiresAt: string | null
  readonly now: number
  readonly trouble: string | null
  readonly next: string | null
  /** `pid` of the meshd that does not answer; undefined: it answers. */
  readonly hung: { readonly pid: number | undefined } | undefined
}

const byItself = "it is tried again by itself"

export const shown = ({ at, expiresAt, hung, network, next, now, trouble }: Seen): Pick<JoinStatus, "state" | "reason" | "next"> => {
  if (at === "revoked" || at === "left") return { state: "revoked", reason: trouble, next: next ?? `gstacks mesh join ${network}` }
  if (at === "leaving") return { state: "leaving", reason: trouble, next: byItself }
  if (expiresAt !== null && Date.parse(expiresAt) <= now) {
    return { state: "expired", reason: `its time is over, and hosts let nothing of it in${trouble === null ? "" : `: ${trouble}`}`, next: next ?? "it joins again by itself once the control plane answers: gstacks doctor" }
  }
  if (!at.startsWith("member")) return { state: "joining", reason: trouble, next: next ?? byItself }
  if (hung !== undefined) {
    return { state: "degraded", reason: "meshd does not answer", next: hung.pid === undefined ? byItself : `if it stays so: kill -9 ${hung.pid}, and another meshd is started by itself` }
  }
  return at === "member.joined" ? { state: "joined", reason: null, next: null } : { state: "degraded", reason: trouble, next: next ?? byItself }
}
