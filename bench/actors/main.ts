/** Measures the actor runtime, in a process of its own: figures go to file descriptor 3, a line each. */
import { Effect } from "effect"
import { writeSync } from "node:fs"
import type { Figure } from "../figures.ts"
import { entry, journal } from "./journal.ts"
import { many } from "./many.ts"

const rounds = Number(process.argv[2])
const found = (figure: Figure): void => { writeSync(3, `${JSON.stringify(figure)}\n`) }

await Effect.runPromise(Effect.all([journal(rounds, found), entry(rounds, found), many(rounds, found)], { discard: true }))
