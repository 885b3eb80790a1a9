/**
 * Turns whatever was thrown into text that may be shown and kept: credentials that found their way
 * into a message are blanked, and the text is bounded.
 */
const credentialLike = /\b(?:[a-z]{2}key-|Bearer\s+)\S+|[A-Za-z0-9+_=-]{32,}/g

/** What stands before the host in a URL. */
const userInfo = /(?<=:\/\/)[^\s/?#]*@/g

/** May be base64, may be a path. */
const longRun = /[A-Za-z0-9+/_=-]{32,}/g

/** In base64 every other letter begins or ends a run of capitals; in paths few do, also where the names in them have capitals. */
const isBase64Like = (run: string): boolean =>
  run.endsWith("=") || (run.match(/(?<=[A-Z])[^A-Z]|(?<=[^A-Z])[A-Z]/g)?.length ?? 0) >= 0.3 * run.length

/** Blanks what looks like a key, a token, or a URL's user and password. Ids of this project (30 characters) and paths pass. */
export const scrub = (text: string): string =>
  text.replace(userInfo, "[redacted]@").replace(longRun, (run) => isBase64Like(run) ? "[redacted]" : run).replace(credentialLike, "[redacted]")

const truncate = (text: string, limit: number) => text.length <= limit ? text : `${text.slice(0, limit)}...`

/** One line: what went wrong. */
export const errorText = (error: unknown): string => {
  try {
    const text = error instanceof Error
      ? error.message === "" ? error.name : `${error.name}: ${error.message}`
      : typeof error === "string" ? error : JSON.stringify(error) ?? String(error)
    return truncate(scrub(text).replace(/\s*\n\s*/g, " "), 500)
  } catch {
    return "an error that cannot be shown"
  }
}

/** That line, and where it happened. */
export const errorDetail = (error: unknown): string => {
  const frames = error instanceof Error && typeof error.stack === "string" ? error.stack.split("\n").filter((line) => /^\s+at /.test(line)) : []
  return truncate([errorText(error), ...frames.map(scrub)].join("\n"), 2000)
}
