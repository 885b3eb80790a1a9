/** What of each machine survives a restart is named in its file: nothing, or declared state of that machine. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { DurableState } from "../../../src/actors/runtime/DurableState.ts"

const folder = join(import.meta.dirname, "../../../src/actors/machines")
const modules = await Promise.all(readdirSync(folder).map(async (file) =>
  [file.replace(/\.ts$/, ""), await import(join(folder, file)) as { readonly survives?: ReadonlyArray<DurableState<any>> }] as const))

describe("what survives", () => {
  for (const [machine, { survives }] of modules) {
    it(`of ${machine} is named in its file`, () => {
      assert.isArray(survives, `export \`survives\` from src/actors/machines/${machine}.ts: an empty array, or what durableState() made`)
      for (const state of survives ?? []) {
        assert.strictEqual(state.machine, machine)
        assert.isAbove(Math.min(state.what.length, state.without.length), 10)
      }
    })
  }
})
