/**
 * What the agent does to its disk, in steps that are each done or not done after a loss of power. The one that is used is the
 * host's; the simulation (test/simulation) has another, which can be slow, full, and forget what was not synced.
 */
import { Context } from "effect"
import { appendFile, constants, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises"

export interface Disk {
  /** With those above it, for the owner only. */
  readonly makeFolder: (path: string) => Promise<void>
  readonly list: (folder: string) => Promise<ReadonlyArray<string>>
  /** Undefined: there is none. */
  readonly read: (path: string) => Promise<string | undefined>
  /** A new file; its content is synced, its name is not. */
  readonly write: (path: string, content: string | Uint8Array, mode: number) => Promise<void>
  /** At the end of a file that is there; synced when it is done. Before, a part of it may be there. */
  readonly append: (path: string, content: string) => Promise<void>
  /** The same without syncing, to a file that is made when it is not there: a loss of power may take it back. */
  readonly appendUnsynced: (path: string, content: string) => Promise<void>
  readonly rename: (from: string, to: string) => Promise<void>
  /** A file, or a folder with all that is in it. */
  readonly remove: (path: string) => Promise<void>
  /** What was renamed into the folder, and removed from it, stays so. */
  readonly syncFolder: (folder: string) => Promise<void>
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

const hostDisk: Disk = {
  makeFolder: async (path) => { await mkdir(path, { recursive: true, mode: 0o700 }) },
  list: (folder) => readdir(folder),
  read: (path) => readFile(path, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  }),
  write: async (path, content, mode) => {
    const file = await open(path, "wx", mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  append: async (path, content) => {
    const file = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_DSYNC)
    try {
      await file.writeFile(content)
    } finally {
      await file.close()
    }
  },
  appendUnsynced: (path, content) => appendFile(path, content, { mode: 0o600 }),
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  syncFolder: async (folder) => {
    const handle = await open(folder, "r")
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

export const Disk = Context.Reference<Disk>("gstacks/agent/Disk", { defaultValue: () => hostDisk })
