/**
 * Turns whatever was thrown into text that may be shown and kept: credentials that found their way
 * into a message are blanked, and the text is bounded.
 */
const credentialLike = /\b(?:[a-z]{2}key-|Bearer\s+)\S+|\b[A-Za-z0-9+_=-]{32,}/g

/** Blanks what looks like a key or a token. Ids of this project (30 characters) pass. */
export const scrub = (text: string): string => text.replace(credentialLike, "[redacted]")

const truncate = (text: string, limit: number) => text.length <= limit ? text : `${text.slice(0, limit)}...`

/** One line: what went wrong. */
export const errorText = (error: unknown): string => {
  try {
    const text = error instanceof Error
      ? error.message === "" ? error.name : `${error.name}: ${error.message}`
      : typeof error === "string" ? error : JSON.stringify(error) ?? String(error)
    return truncate(scrub(text), 500)
  } catch {
    return "an error that cannot be shown"
  }
}

/** The text with where it happened. */
export const errorDetail = (error: unknown): string =>
  error instanceof Error && typeof error.stack === "string" ? truncate(scrub(error.stack), 2000) : errorText(error)
