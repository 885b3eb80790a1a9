/** Times as people read them. */

const two = (value: number): string => value.toString().padStart(2, "0")

/** `13:02:11.045` in the zone of whoever looks. What a hostile file calls a time may be none. */
export const clock = (at: number): string => {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return "?"
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${date.getMilliseconds().toString().padStart(3, "0")}`
}

/** `2026-11-24 13:02:11.045` in the same zone. */
export const dateAndClock = (at: number): string => {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? "?" : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`
}

/** `12 s`, `3 min`, `5 h`, `2 d`. */
export const span = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}
