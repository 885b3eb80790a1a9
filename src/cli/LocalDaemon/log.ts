/** The log of the background process: several may write to it, while one ends and the next begins. */
import { openSync, renameSync, statSync } from "node:fs"

const limitBytes = 1 << 20

/** Opens it to append. One that has become long is put aside, in the place of the one before. */
export const openLog = (path: string): number => {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= limitBytes) renameSync(path, `${path}.1`)
  return openSync(path, "a", 0o600)
}
