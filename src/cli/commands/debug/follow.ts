/** A process's journal as it grows, by long polls: nothing is asked twice, and a process that is away is asked again until it is back. */
import { Effect } from "effect"
import type { JournalPage } from "../../../domain/Sight.ts"
import { isOfAnother, type Place, placeAfter } from "../../../domain/Sight/Place.ts"
import type { ActorSource, ProcessName } from "../../ActorSource.ts"
import type { Failure } from "../../Failure.ts"
import { note } from "../../output/view.ts"
import { processName } from "./scope.ts"

const waitMs = 25_000
const retryMs = 1_000
/** Between pages, so that a busy process is asked a few times a second and not once for each event. */
const pauseMs = 200
/** When a page holds fewer, there was no more. */
export const fullPage = 1_000
/** The address of no actor: a page of its entries is empty, and says where the journal stands. */
const nobody = { prefix: " ", limit: 1 }

/** Behind the newest entry. */
export const position = (source: ActorSource, process: ProcessName) => Effect.map(source.journal(process, nobody), placeAfter)

export interface Following<R> {
  readonly prefix?: string
  /** What follows from there; from now on when not given. */
  readonly from?: Place
  /** Called before the first page of another process under the same name. */
  readonly onAnother: Effect.Effect<void, never, R>
  readonly onPage: (page: JournalPage) => Effect.Effect<void, never, R>
  /** Called once for each time it is away. */
  readonly onAway: (failure: Failure) => Effect.Effect<void, never, R>
}

/** Does not end by itself. A process that was started anew is read from its oldest entry on. */
export const follow = <R>(source: ActorSource, process: ProcessName, { prefix, from, onAnother, onAway, onPage }: Following<R>): Effect.Effect<never, never, R> =>
  Effect.suspend(() => {
    let place = from
    let away = false
    const request = () => source.journal(process, place === undefined ? nobody : { ...(prefix === undefined ? {} : { prefix }), ...place, waitMs })
    return Effect.forever(Effect.matchEffect(Effect.suspend(request), {
      onSuccess: (page) => {
        const isSlow = place !== undefined && page.entries.length < fullPage
        const isAnother = place !== undefined && isOfAnother(place, page)
        away = false
        place = placeAfter(page)
        return Effect.andThen(isAnother ? onAnother : Effect.void, Effect.andThen(onPage(page), isSlow ? Effect.sleep(pauseMs) : Effect.void))
      },
      onFailure: (failure) => {
        const isNew = !away
        away = true
        return Effect.andThen(isNew ? onAway(failure) : Effect.void, Effect.sleep(retryMs))
      }
    }))
  })

export const noteAnother = (process: ProcessName) => note(`${processName(process)} was started anew; what follows is of the new process`)

export const noteAway = (process: ProcessName) => ({ problem }: Failure) => note(`${processName(process)} cannot be asked: ${problem.detail}; asking again`)
