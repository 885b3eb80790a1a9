/** Names in wire format, kept as latin-1 strings so that they can be map keys. Unlike text with dots they cannot be mistaken when a label holds a dot. */

const maxName = 255
const maxLabel = 63

/** `api.dev.gstacks` -> lower-case wire format. */
export const wireName = (text: string): string => {
  const bytes: Array<number> = []
  for (const label of text.toLowerCase().split(".")) bytes.push(label.length, ...Buffer.from(label, "latin1"))
  return Buffer.from([...bytes, 0]).toString("latin1")
}

/** Where the uncompressed name that starts at `at` ends; undefined when it is none. */
export const nameEnd = (bytes: Buffer, at: number): number | undefined => {
  for (let end = at; end < bytes.length && end - at < maxName;) {
    const length = bytes[end]!
    if (length > maxLabel) return undefined
    end++
    if (length === 0) return end
    end += length
  }
  return undefined
}

/** As `nameEnd`, for a name that may close with a compression pointer. */
export const ownerEnd = (bytes: Buffer, at: number): number | undefined => {
  for (let end = at; end < bytes.length && end - at < maxName;) {
    const length = bytes[end]!
    if (length >= 0xc0) return end + 2 <= bytes.length ? end + 2 : undefined
    if (length > maxLabel) return undefined
    if (length === 0) return end + 1
    end += 1 + length
  }
  return undefined
}

/** Lengths are below "A", so there is no need to tell them from letters. */
export const lowered = (bytes: Buffer): string => bytes.toString("latin1").replace(/[A-Z]/g, (letter) => letter.toLowerCase())
