/**
 * An initialised, empty PGlite to load instead of making one: initdb in WebAssembly takes seconds, on a busy machine half a
 * minute. Kept in the checkout per version, made by whoever comes first.
 */
import { PGlite } from "@electric-sql/pglite"
import { mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")
const folder = join(root, "dist/test-cache")

const versionOf = async (): Promise<string> => {
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as { packages: Record<string, { version: string }> }
  return lock.packages["node_modules/@electric-sql/pglite"]!.version
}

export const pgliteTemplate = async (): Promise<Blob> => {
  const file = join(folder, `pglite-${await versionOf()}.tar`)
  const kept = await readFile(file).catch(() => undefined)
  if (kept !== undefined) return new Blob([kept])
  const db = await PGlite.create("memory://")
  const dump = await db.dumpDataDir("none")
  await db.close()
  const part = `${file}.${process.pid}`
  await mkdir(folder, { recursive: true })
  await writeFile(part, Buffer.from(await dump.arrayBuffer()))
  await rename(part, file)
  return dump
}
