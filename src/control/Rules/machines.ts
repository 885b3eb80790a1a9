/**
 * What rules cannot say of aliases that developers' machines publish. As a source an alias stands for the sandbox that publishes it, and here
 * there is none: the machine is `local:<user>`. And one machine does not reach another.
 */
import { InvalidSelector } from "../../domain/Problems.ts"
import type { Source } from "../../domain/Selector.ts"

interface Published { readonly name: string; readonly localUser: string | null }

export const noSandboxBehind = ({ name, localUser }: Published): InvalidSelector => new InvalidSelector({
  detail: `The alias "${name}" is published from a machine of ${localUser}, and stands for no sandbox that a rule could let in.`, hint: `For that user's machines write local:${localUser}.`
})

/** Undefined: a rule may lead from the one to the other. */
export const betweenMachines = (source: Source, target: Published): InvalidSelector | undefined =>
  source._tag !== "Local" || target.localUser === null ? undefined : new InvalidSelector({
    detail: `The alias "${target.name}" is published from a machine of ${target.localUser}, and one developer's machine does not reach another.`, hint: "Let a sandbox reach it: --from sandbox:<name>."
  })
