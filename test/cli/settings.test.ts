/** `gstacks doctor` knows every variable that some part of gstacks reads, and no other. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { settings, settingsIn } from "../../src/cli/settings.ts"

const src = join(import.meta.dirname, "../../src")
const read = new Set(["control", "agent", "cli"].flatMap((area) =>
  readdirSync(join(src, area), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts") && file !== "settings.ts").flatMap((file) =>
    [...readFileSync(join(src, area, file), "utf8").matchAll(/["`]((?:GLOBALSTACKS|GSTACKS)_[A-Z_]+|APP_HOST)["`]/g)].map(([, name]) => name!))))

describe("settings", () => {
  it("are those that are read", () => {
    assert.deepStrictEqual(Object.keys(settings).sort(), [...read].sort())
  })
  it("show values, but of secrets only that they are set", () => {
    const shown = settingsIn({ GSTACKS_TOKEN: "hush", GSTACKS_URL: "http://x", GSTACKS_CONTEXT: "" })
    const value = (name: string) => shown.find((s) => s.name === name)?.value
    assert.deepStrictEqual([value("GSTACKS_TOKEN"), value("GSTACKS_URL"), value("GSTACKS_CONTEXT")], ["(set)", "http://x", null])
  })
})
