import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { openLog } from "../../src/cli/LocalDaemon/log.ts"

describe("the log of the background process", () => {
  let path: string
  beforeEach(() => { path = join(mkdtempSync(join(tmpdir(), "gs-log-")), "local.log") })
  afterEach(() => { rmSync(dirname(path), { recursive: true }) })
  const append = (text: string) => {
    const log = openLog(path)
    writeSync(log, text)
    closeSync(log)
  }

  it("goes on where it was, and is its user's alone", () => {
    append("one\n")
    append("two\n")
    assert.strictEqual(readFileSync(path, "utf8"), "one\ntwo\n")
    assert.strictEqual(statSync(path).mode & 0o777, 0o600)
  })

  it("begins anew once it is long, and the one before is kept", () => {
    writeFileSync(path, "x".repeat(1 << 20))
    writeFileSync(`${path}.1`, "older")
    append("new\n")
    assert.deepStrictEqual([readFileSync(path, "utf8"), statSync(`${path}.1`).size], ["new\n", 1 << 20])
  })
})
