/**
 * The data directory of the embedded database. A new one is a copy of `template`, which set-up makes: initdb in WebAssembly takes
 * seconds of processor time. It appears whole or not at all, so that a process that is killed meanwhile leaves nothing half made.
 */
import { PGlite } from "@electric-sql/pglite"
import { existsSync } from "node:fs"
import { chmod, cp, readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"

const initialise = async (directory: string): Promise<void> => {
  const db = await PGlite.create(directory)
  await db.close()
}

/** initdb in WebAssembly makes files that everybody may write, whatever the umask. */
const withhold = async (directory: string): Promise<void> => {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644)
}

/** Makes `directory` unless it is there. Without a `template`, or where that is missing, it is initialised here. */
export const makeDataDirectory = async (directory: string, template?: string): Promise<void> => {
  if (existsSync(directory)) return
  const unfinished = `${directory}.new`
  await rm(unfinished, { recursive: true, force: true })
  await (template !== undefined && existsSync(template) ? cp(template, unfinished, { recursive: true, dereference: true }) : initialise(unfinished))
  await withhold(unfinished)
  await rename(unfinished, directory)
}
