/** How an agent stands with the control plane, in words: since when it is out of touch, what goes on, and what stops when. */
import type { Contact } from "../../domain/Contact.ts"

const units = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const

/** The two greatest units, like `23h57m`. */
export const durationText = (ms: number): string => {
  let left = Math.max(0, Math.round(ms / 1000) * 1000)
  const parts: Array<string> = []
  for (const [unit, size] of units) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) parts.push(`${count}${unit}`)
    else if (parts.length > 0) break
    if (parts.length === 2) break
  }
  return parts.join("") || "0s"
}

export const describeContact = ({ freezesAt, frozen, inTouch, lastAt, limitMs }: Contact, now: number): string => {
  if (inTouch) return `in touch; without the control plane new connections go on for ${durationText(limitMs)}`
  if (lastAt === null) return "never in touch yet: new connections are refused"
  const since = `out of touch for ${durationText(now - Date.parse(lastAt))}, since ${lastAt}`
  return frozen
    ? `${since}, the limit is ${durationText(limitMs)}: new connections are refused, open ones live on`
    : `${since}: new connections are refused from ${freezesAt} on, in ${durationText(Date.parse(freezesAt ?? lastAt) - now)}; open ones live on`
}
