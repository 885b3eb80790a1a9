/** The dependency rules of docs/architecture.md, read off the import statements. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"

const root = join(import.meta.dirname, "../..")
const area = (path: string): string => path.split("/")[1]!

interface Import { readonly file: string; readonly target: string; readonly local: boolean }

const filesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((f) => /\.tsx?$/.test(f)).map((f) => `${folder}/${f}`)
const files = filesIn("src")
/** `import x from "m"`, `export * from "m"`, `import "m"` and `import("m")`. */
const statement = /\b(?:import|export)\s+(?:[\w*{},\s$]+?\s+from\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g
const importsOf = (files: ReadonlyArray<string>): ReadonlyArray<Import> => files.flatMap((file) =>
  [...readFileSync(join(root, file), "utf8").matchAll(statement)].map((m) => {
    const target = (m[1] ?? m[2])!
    const local = target.startsWith(".")
    return { file, local, target: local ? relative(root, normalize(join(root, dirname(file), target))) : target }
  }))
const imports = importsOf(files)

/** What each area may import from the project itself, besides its own files. */
const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  domain: [],
  protocol: ["domain"],
  actors: ["domain", "protocol"],
  control: ["domain", "protocol", "actors"],
  agent: ["domain", "protocol", "actors"],
  cli: ["domain", "protocol"],
  local: ["domain", "protocol", "actors", "agent", "cli"],
  dev: ["domain", "protocol", "actors", "control", "agent", "cli"]
}
const mayUsePlatform = new Set(["control", "agent", "local", "cli", "dev"])
const platform = /^(node:|@effect\/platform-node|@effect\/sql-pg|@electric-sql\/|ws$|dns-packet$)/

describe("dependency rules", () => {
  it("sees the imports", () => {
    assert.isAbove(imports.length, 50)
    for (const file of files) assert.property(allowed, area(file), `${file} is in no known area`)
  })
  it("areas import only what lies below them", () => {
    const wrong = imports.filter((i) => i.local && i.target.startsWith("src/") && area(i.target) !== area(i.file) && !allowed[area(i.file)]!.includes(area(i.target)))
    assert.deepStrictEqual(wrong, [])
  })
  it("domain and protocol import nothing but effect", () => {
    const wrong = imports.filter((i) => !i.local && ["domain", "protocol"].includes(area(i.file)) && !/^effect(\/|$)/.test(i.target))
    assert.deepStrictEqual(wrong, [])
  })
  it("xstate stays in actors", () => {
    const wrong = imports.filter((i) => /^(xstate|@xstate\/)/.test(i.target) && area(i.file) !== "actors")
    assert.deepStrictEqual(wrong, [])
  })
  it("platform, SQL and node: stay in the processes", () => {
    const wrong = imports.filter((i) => platform.test(i.target) && !mayUsePlatform.has(area(i.file)))
    assert.deepStrictEqual(wrong, [])
  })
  it("nothing imports tests or benchmarks", () => {
    assert.deepStrictEqual(imports.filter((i) => i.local && !i.target.startsWith("src/") && i.target !== "package.json"), [])
  })
  it("pages of the console import only the domain, and nothing that only Node has", () => {
    const wrong = importsOf(filesIn("console")).filter((i) => i.local ? !/^(console|src\/domain)\//.test(i.target) : platform.test(i.target))
    assert.deepStrictEqual(wrong, [])
  })
  it("programs are launched in main.ts files only", () => {
    const wrong = files.filter((file) => !/(^|\/)main\.ts$/.test(file) && /\bNodeRuntime\.runMain\b/.test(readFileSync(join(root, file), "utf8")))
    assert.deepStrictEqual(wrong, [])
  })
})
