/** Where the home folder of this machine's root is. */
import { readFileSync } from "node:fs"

export const rootHome = /^root:(?:[^:]*:){4}([^:]*):/m.exec(readFileSync("/etc/passwd", "utf8"))?.[1] ?? ""
if (rootHome === "") throw new Error("/etc/passwd names no home folder of root")
