/** Rows about the actor runtime alone: it needs no other program, and its process none of what other rows leave in memory. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import type { Figure } from "./figures.ts"

const entry = fileURLToPath(new URL("actors/main.ts", import.meta.url))

export const measureActors = (rounds: number, found: (figure: Figure) => void): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["--expose-gc", entry, String(rounds)], { stdio: ["ignore", "inherit", "inherit", "pipe"] })
    createInterface({ input: child.stdio[3] as Readable }).on("line", (line) => found(JSON.parse(line) as Figure))
    child.once("error", () => resolve(false))
    child.once("close", (code) => resolve(code === 0))
  })
