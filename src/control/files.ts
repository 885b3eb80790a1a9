/** Files of the control plane's state: whole or not at all, for the owner only, and still there when the power fails. */
import { mkdir, open, readFile, rename } from "node:fs/promises"
import { dirname } from "node:path"

export const replaceFile = async (path: string, text: string): Promise<void> => {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const part = await open(`${path}.part`, "w", 0o600)
  try {
    await part.writeFile(text)
    await part.sync()
  } finally {
    await part.close()
  }
  await rename(`${path}.part`, path)
  const names = await open(folder, "r")
  try {
    await names.sync()
  } finally {
    await names.close()
  }
}

/** Undefined when it cannot be read: mostly, because it is not there. */
export const readText = (path: string): Promise<string | undefined> => readFile(path, "utf8").catch(() => undefined)
