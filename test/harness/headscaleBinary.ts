/** The real Headscale that tests run: GSTACKS_HEADSCALE, or what set-up built. */
import { existsSync } from "node:fs"
import { join } from "node:path"

const built = join(import.meta.dirname, "../../dist/bin")
export const headscaleBinary = process.env["GSTACKS_HEADSCALE"] ?? join(built, "headscale")
export const meshdBinary = process.env["GSTACKS_MESHD"] ?? join(built, "meshd")

for (const file of [headscaleBinary, meshdBinary]) {
  if (!existsSync(file)) throw new Error(`${file} is missing: run scripts/setup first`)
}
