/**
 * An agent and the control plane, as far as they are in touch. What an agent was told is good for an age limit after the last
 * contact. Then nothing new is granted; open connections live on, and rules with an end still end, as they do all along.
 */
import { Schema } from "effect"

/** `frozen`: nothing new is granted. `freezesAt`: from when on that is so; null while in touch, or when there never was a contact. */
export const Contact = Schema.Struct({
  inTouch: Schema.Boolean, lastAt: Schema.NullOr(Schema.String), limitMs: Schema.Number, frozen: Schema.Boolean, freezesAt: Schema.NullOr(Schema.String)
})
export type Contact = typeof Contact.Type

/** What a time service may correct at once. */
const clockStepMs = 60_000

/** `last` is 0 when there never was one. A last contact in the future means that the clock was set back: nobody knows how long ago it was. */
export const isTooOld = (last: number, limitMs: number, at: number): boolean => at - last >= limitMs || last - at > clockStepMs

/** Times are milliseconds since the epoch. */
export const contactOf = ({ inTouch, last, limitMs }: { readonly inTouch: boolean; readonly last: number; readonly limitMs: number }, at: number): Contact => ({
  inTouch, limitMs,
  lastAt: last === 0 ? null : new Date(last).toISOString(),
  frozen: !inTouch && isTooOld(last, limitMs, at),
  freezesAt: inTouch || last === 0 ? null : new Date(Math.min(last + limitMs, farthest)).toISOString()
})

/** The last moment that a Date can name. */
const farthest = 8.64e15
