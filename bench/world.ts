/**
 * Starts the first process of a disposable world and passes its figures on. The world has network, mount and process
 * namespaces of its own, so that its end, which comes with ours at the latest, ends all that was started in it. Root gets
 * no user namespace: socket buffers then are as large as on a real host.
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Readable } from "node:stream"
import type { Figure } from "./figures.ts"
import type { Options } from "./world/options.ts"

export const worldRows = ["same-host", "across-hosts", "dns", "memory", "restart"]

const entry = fileURLToPath(new URL("world/main.ts", import.meta.url))
const privateRun = "mount -t tmpfs tmpfs /run && exec \"$@\""

export const measureInWorld = (options: Options, found: (figure: Figure) => void): Promise<boolean> =>
  new Promise((resolve) => {
    const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]
    const world = spawn("unshare", [
      ...user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", privateRun, "sh",
      process.execPath, entry, JSON.stringify(options)
    ], { stdio: ["pipe", "inherit", "inherit", "pipe"], env: { ...process.env, GB_LOADGEN: `${options.binaries}/loadgen` } })
    createInterface({ input: world.stdio[3] as Readable }).on("line", (line) => found(JSON.parse(line) as Figure))
    world.once("error", () => resolve(false))
    world.once("close", (code) => resolve(code === 0))
  })
