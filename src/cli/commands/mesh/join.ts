/** `gstacks mesh join dev` */
import { Effect, Schedule } from "effect"
import { Command } from "effect/cli"
import type { JoinStatus } from "../../../protocol/local/MeshRpcs.ts"
import { ControlApi } from "../../ControlApi.ts"
import { failed, loginNeeded } from "../../Failure.ts"
import { isAway, LocalDaemon } from "../../LocalDaemon.ts"
import { note, patiently, show } from "../../output/view.ts"
import { networkName } from "../../words.ts"

const said = ({ network, user, address, expiresAt, version }: JoinStatus): string =>
  `joined ${network} as local:${user ?? "?"}, at ${address ?? "?"}, topology v${version ?? "?"}; renewed by itself, next before ${expiresAt ?? "?"}\n`

export const join = Command.make("join", { network: networkName }, Effect.fn(function*({ network }) {
  yield* Effect.scoped(Effect.gen(function*() {
    const { url, token } = yield* (yield* ControlApi).target
    if (token === undefined) return yield* loginNeeded(`there is no token for ${url}`, "gstacks login")
    const { started } = yield* LocalDaemon
    // One that was about to end when it was asked gives way to a new one.
    const joined = yield* Effect.flatMap(started, (daemon) => daemon.join({ network, url, token })).pipe(
      Effect.retry({ while: isAway, times: 5, schedule: Schedule.spaced("200 millis") }), patiently(`joining ${network}`))
    if (joined.state === "joining" || joined.state === "expired") {
      return yield* failed("not-joined-yet", "Not joined yet", `${network} is not joined yet: ${joined.reason ?? "it takes longer than usual"}`, "it is tried again by itself; see gstacks mesh status, or give up: gstacks mesh leave " + network)
    }
    yield* show({ document: joined, table: () => said(joined), names: () => [network] })
    yield* note(`next: gstacks mesh forward ${network} <alias>:<port> --local <port>`)
  }))
})).pipe(
  Command.withDescription("Join a network from this machine, without any privilege; a background process keeps it until mesh leave"),
  Command.withExamples([{ command: "gstacks mesh join dev" }])
)
