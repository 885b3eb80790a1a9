/**
 * A value of a machine as JSON that is safe to show: bounded in depth and size, with what looks like a key blanked, and never an error,
 * whatever a machine keeps in its context.
 */
import { Predicate, type Schema } from "effect"
import { scrub } from "../runtime/errorText.ts"

const longestText = 1000
const mostItems = 100
const deepest = 6

const text = (value: string): string => scrub(value.length <= longestText ? value : `${value.slice(0, longestText)}...`)

const convert = (value: unknown, depth: number): Schema.Json => {
  if (value === null || value === undefined) return null
  if (typeof value === "boolean") return value
  if (typeof value === "string") return text(value)
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (typeof value === "bigint") return value.toString()
  if (typeof value !== "object") return `[${typeof value}]`
  if (value instanceof Error) return text(`${value.name}: ${value.message}`)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Predicate.hasProperty(value, "toJSON") && typeof value.toJSON === "function") return depth > 0 ? convert(value.toJSON(), depth - 1) : "[...]"
  if (depth === 0) return Array.isArray(value) ? "[...]" : "{...}"
  if (value instanceof Map || value instanceof Set) return convert([...value], depth)
  if (Array.isArray(value)) {
    const items = value.slice(0, mostItems).map((item) => attempt(() => convert(item, depth - 1)))
    return value.length > mostItems ? [...items, `[${value.length - mostItems} more]`] : items
  }
  return Object.fromEntries(Object.keys(value).slice(0, mostItems).map((key) => [text(key), attempt(() => convert(value[key as keyof typeof value], depth - 1))]))
}

const attempt = (run: () => Schema.Json): Schema.Json => {
  try {
    return run()
  } catch {
    return "[cannot be shown]"
  }
}

/** Of nothing (undefined) null. */
export const shown = (value: unknown): Schema.Json => attempt(() => convert(value, deepest))
