/**
 * The agents whose Unix socket is on this machine: for `exec`, `logs --follow` and `debug`. Knows which socket belongs to
 * which agent; the RPC client's code is loaded with the first connection. Works without the control plane where it can.
 */
import { Context, Effect, Layer, Option, type Scope } from "effect"
import { existsSync } from "node:fs"
import { ControlApi } from "./ControlApi.ts"
import { failed, type Failure, usage } from "./Failure.ts"
import type { Client } from "./LocalAgent/client.ts"
import { defaultSocket } from "./LocalAgent/defaultSocket.ts"
import { Shell } from "./Shell.ts"

export interface Place {
  readonly client: Client
  /** What the agent is to be asked for: the sandbox's id, or the user's word when the control plane could not be asked. */
  readonly sandbox: string
}

export class LocalAgent extends Context.Service<LocalAgent, {
  /** The agent that hosts the sandbox. */
  readonly hosting: (sandbox: string) => Effect.Effect<Place, Failure, Scope.Scope>
  /** The agent of that name, or the only one there is. */
  readonly named: (agent: string | undefined) => Effect.Effect<Client, Failure, Scope.Scope>
  /** Sockets known to be here, by agent name. */
  readonly sockets: Effect.Effect<Readonly<Record<string, string>>, Failure>
  readonly at: (socket: string) => Effect.Effect<Client, Failure, Scope.Scope>
}>()("gstacks/cli/LocalAgent") {
  static readonly layer = Layer.effect(LocalAgent, Effect.gen(function*() {
    const { call, target } = yield* ControlApi
    const { env } = yield* Shell

    const at = (socket: string) => Effect.flatMap(Effect.promise(() => import("./LocalAgent/client.ts")), (module) => module.connect(socket))

    /** From the context, else this host's own agent, which says its name itself. */
    const sockets = Effect.gen(function*() {
      const { agentSockets } = yield* target
      const own = defaultSocket(env)
      if (Object.keys(agentSockets).length > 0 || !existsSync(own)) return agentSockets
      const status = yield* Effect.option(Effect.scoped(Effect.flatMap(at(own), (client) => client.status)))
      return { [Option.match(status, { onNone: () => null, onSome: ({ agent }) => agent }) ?? "this host"]: own }
    })

    /** What the agent told the control plane, unless that path belongs to another agent here. */
    const reported = (agent: string) =>
      Effect.gen(function*() {
        const { host } = yield* call((client) => client.agents.show({ params: { agent } }))
        if (host === null || !existsSync(host.localSocket)) return undefined
        const status = yield* Effect.scoped(Effect.flatMap(at(host.localSocket), (client) => client.status))
        return status.agent === agent ? host.localSocket : undefined
      })

    const elsewhere = (agent: string, what: string) =>
      failed("agent-not-here", "The agent is on another machine", `${what} on ${agent}, and the socket of that agent is not on this machine`, `run the command on ${agent}`)

    const socketOf = (agent: string, what: string) =>
      Effect.gen(function*() {
        return (yield* sockets)[agent] ?? (yield* reported(agent)) ?? (yield* elsewhere(agent, what))
      })

    /** Without the control plane: the only socket that is here, if it is the only one. */
    const withoutControl = (sandbox: string, failure: Failure) =>
      Effect.gen(function*() {
        const known = Object.values(yield* sockets)
        if (known.length !== 1) return yield* failure
        return { client: yield* at(known[0]!), sandbox }
      })

    return {
      at, sockets,
      hosting: (sandbox) =>
        call((client) => client.sandboxes.show({ params: { sandbox } })).pipe(
          Effect.matchEffect({
            onSuccess: (box) => Effect.map(Effect.flatMap(socketOf(box.agent, `sandbox ${box.name} runs`), at), (client): Place => ({ client, sandbox: box.id })),
            onFailure: (failure) => failure.exitCode === 3 ? Effect.fail(failure) : withoutControl(sandbox, failure)
          })
        ),
      named: (agent) =>
        Effect.gen(function*() {
          if (agent !== undefined) return yield* at(yield* socketOf(agent, "that is"))
          const known = yield* sockets
          const names = Object.keys(known)
          if (names.length === 1) return yield* at(known[names[0]!]!)
          return yield* names.length === 0
            ? failed("no-agent-here", "No agent is here", "there is no agent's socket on this machine", "run the command on the agent's host, or choose another context: gstacks context list")
            : usage(`there are several agents here: ${names.join(", ")}`, `choose one: --agent ${names[0]}`)
        })
    }
  }))
}
