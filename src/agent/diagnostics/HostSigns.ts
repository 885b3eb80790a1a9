/** What checks read of the host besides the agent's knowledge and meshd: its own actors, and what the kernel shows of a sandbox. */
import { Context, Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { ActorSystem } from "../../actors/runtime/ActorSystem.ts"
import type { NetworkId } from "../../domain/Ids.ts"
import * as Address from "../addresses.ts"
import { Config } from "../Config.ts"
import { MeshFiles } from "../mesh/MeshFiles.ts"
import { type Listening, listeningIn } from "./listening.ts"

/** How programs in a sandbox look names up. */
export interface Resolver {
  readonly servers: ReadonlyArray<string>
  /** The file that was mounted over the host's /etc/resolv.conf, by its path in its own file system; undefined: none. */
  readonly mounted: string | undefined
}

export interface Trouble { readonly state: string; readonly error: string | null }

export class HostSigns extends Context.Service<HostSigns, {
  /** How the join of a network stands; undefined: it is not tried here. */
  readonly join: (id: NetworkId) => Effect.Effect<Trouble | undefined>
  readonly dnsListener: Effect.Effect<Trouble | undefined>
  readonly dnsPort: number
  /** Where the mesh's coordinator was said to be. */
  readonly controlUrl: (id: NetworkId) => string | undefined
  /** Why a coordinator at that URL does not answer this host; undefined: it does. */
  readonly silenceOf: (url: string) => Effect.Effect<string | undefined>
  /** Undefined: it cannot be read. */
  readonly resolver: (pid: number) => Resolver | undefined
  /** The ports on which programs in a sandbox listen. */
  readonly listening: (pid: number) => ReadonlyArray<Listening>
}>()("gstacks/agent/HostSigns") {
  static readonly layer = Layer.effect(HostSigns, Effect.gen(function*() {
    const actors = yield* ActorSystem
    const { dns } = yield* Config
    const files = yield* MeshFiles
    const troubleOf = (address: string): Effect.Effect<Trouble | undefined> => Effect.matchEager(actors.snapshot(address), {
      onFailure: () => undefined,
      onSuccess: ({ state, context }) => ({ state, error: typeof context["lastError"] === "string" ? context["lastError"] : null })
    })
    return HostSigns.of({
      join: (id) => troubleOf(Address.join(id)),
      dnsListener: troubleOf(`${Address.root}/dns`),
      dnsPort: dns.port,
      controlUrl: (id) => files.get(id)?.controlUrl,
      silenceOf,
      resolver: (pid) => {
        const text = textOf(`/proc/${pid}/root${resolvConf}`)
        return text === undefined ? undefined : {
          servers: [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!),
          mounted: mountedAt(textOf(`/proc/${pid}/mountinfo`) ?? "", resolvConf)
        }
      },
      listening: (pid) => ["tcp", "tcp6"].flatMap((table) => listeningIn(textOf(`/proc/${pid}/net/${table}`) ?? ""))
    })
  }))
}

const resolvConf = "/etc/resolv.conf"

/** From `/proc/PID/mountinfo`; of several over one another, the last is seen. */
export const mountedAt = (mountinfo: string, path: string): string | undefined =>
  mountinfo.split("\n").map((line) => line.split(" ")).findLast(([, , , , target]) => target === path)?.[3]

const answerWithinMs = 1_500
const silenceOf = (url: string): Effect.Effect<string | undefined> => Effect.promise(() => fetch(`${url}/health`, { signal: AbortSignal.timeout(answerWithinMs) }).then(
  (answer) => answer.ok ? undefined : `${url} answers with HTTP status ${answer.status}, as no Headscale does`,
  (error: unknown) => `${url}: ${reasonOf(error)}`))

/** fetch tells the reason as the cause, and a time that is over as an error's name. */
const reasonOf = (error: unknown): string => {
  const { name, message, cause } = error as Error & { readonly cause?: Error }
  return name === "TimeoutError" ? `no answer within ${answerWithinMs} ms` : cause?.message ?? message
}

/** Undefined: not there, or not ours to look at. */
const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}
