/** A command's network, for as long as the command runs: asked for again when the connection to the background process breaks. */
import { Deferred, Effect, Schedule, Stream } from "effect"
import { failed, type Failure } from "../Failure.ts"
import { note } from "../output/view.ts"
import type { Client } from "./client.ts"

const servedWithin = "15 seconds"
const again = { schedule: Schedule.spaced("1 second"), times: 10 }
const lost = failed("network-lost", "The network is lost", "the background process ended meanwhile", "gstacks mesh status")

/** Answers once the network is there for the process; says so when it is lost for good. */
export const served = Effect.fnUntraced(function*(daemon: Pick<Client, "exec">, request: Parameters<Client["exec"]>[0]) {
  const ready = yield* Deferred.make<void, Failure>()
  const toldLater = note(`gstacks: the background process has ended: the command goes on, but ${request.network} refuses it from now on; gstacks mesh join ${request.network}, and run it again`)
  yield* daemon.exec(request).pipe(
    Stream.runForEach(() => Deferred.succeed(ready, undefined)), Effect.andThen(Effect.fail(lost)),
    Effect.retry({ ...again, while: () => Deferred.isDone(ready) }),
    Effect.catch((failure) => Effect.flatMap(Deferred.fail(ready, failure), (inTime) => inTime ? Effect.void : toldLater)),
    Effect.forkScoped)
  yield* Deferred.await(ready).pipe(Effect.timeoutOrElse({ duration: servedWithin, orElse: () => Effect.fail(lost) }))
})
