/** What is written is on the disk, name and all, before anyone relies on it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Disk } from "../../src/agent/Disk.ts"
import { remove, writeAtomic } from "../../src/agent/files.ts"

const recording = (steps: Array<string>): Disk => {
  const step = (name: string) => async (...paths: ReadonlyArray<unknown>) => { steps.push(`${name} ${String(paths[0]).replace(/\.[0-9a-f-]{36}/, "")}`) }
  return {
    makeFolder: step("makeFolder"), write: step("write"), rename: step("rename"), remove: step("remove"), syncFolder: step("syncFolder"), append: step("append"), appendUnsynced: step("appendUnsynced"),
    list: () => Promise.resolve([]), read: () => Promise.resolve(undefined)
  }
}

describe("files", () => {
  it.effect("a file's new name is synced after it got it", () => Effect.gen(function*() {
    const steps: Array<string> = []
    yield* writeAtomic("/state/a.json", "a").pipe(Effect.provideService(Disk, recording(steps)))
    assert.deepStrictEqual(steps, ["makeFolder /state", "write /state/a.json.tmp", "rename /state/a.json.tmp", "syncFolder /state"])
  }))
  it.effect("so is a removal: what was revoked must not come back with the power", () => Effect.gen(function*() {
    const steps: Array<string> = []
    yield* remove("/state/a.json").pipe(Effect.provideService(Disk, recording(steps)))
    assert.deepStrictEqual(steps, ["remove /state/a.json", "syncFolder /state"])
  }))
})
