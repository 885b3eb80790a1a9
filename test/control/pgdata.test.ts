import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Database from "../../src/control/sql/Database.ts"
import { makeDataDirectory } from "../../src/control/sql/pgdata.ts"

describe("the embedded database's data directory", () => {
  let folder: string, data: string, template: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "gs-pgdata-"))
    data = join(folder, "pgdata")
    template = join(folder, "template")
    mkdirSync(join(template, "base"), { recursive: true })
    writeFileSync(join(template, "base/1"), "a table")
  })
  afterEach(() => { rmSync(folder, { recursive: true }) })

  it("is a copy of the template, also after a process was killed while it copied", async () => {
    mkdirSync(`${data}.new`)
    writeFileSync(join(`${data}.new`, "half"), "of a fi")
    await makeDataDirectory(data, template)
    assert.deepStrictEqual(readdirSync(data, { recursive: true }).sort(), ["base", "base/1"])
    assert.strictEqual(readFileSync(join(data, "base/1"), "utf8"), "a table")
    assert.isFalse(existsSync(`${data}.new`))
  })

  it("is nobody else's to write", async () => {
    chmodSync(join(template, "base"), 0o777)
    chmodSync(join(template, "base/1"), 0o666)
    await makeDataDirectory(data, template)
    assert.deepStrictEqual(["base", "base/1"].map((name) => (statSync(join(data, name)).mode & 0o777).toString(8)), ["755", "644"])
  })

  it("is left as it is when it is there", async () => {
    mkdirSync(data)
    writeFileSync(join(data, "PG_VERSION"), "18")
    await makeDataDirectory(data, template)
    assert.deepStrictEqual(readdirSync(data), ["PG_VERSION"])
  })

  it.live("says what is in the way where it cannot be made, and what to do", () => Effect.gen(function*() {
    const refusal = (directory: string) => Effect.map(
      Effect.flip(Effect.scoped(Layer.build(Database.layer({ _tag: "Embedded", directory, template })))), (error) => (error as Error).message)
    writeFileSync(data, "in the way")
    assert.match(yield* refusal(join(data, "database")), /cannot be opened: ENOTDIR.*GLOBALSTACKS_STATE_DIR/)
    symlinkSync("nowhere", join(template, "dangling"))
    assert.match(yield* refusal(join(folder, "database")), /cannot be opened: ENOENT.*GLOBALSTACKS_STATE_DIR/)
    assert.isFalse(existsSync(join(folder, "database/pgdata")))
  }))
})
