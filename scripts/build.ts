/**
 * Bundles each role into one file under dist/, so that `gstacks --help` does not wait for modules it never uses, with a starter that
 * keeps what V8 compiled of it in dist/compile-cache: a command takes a fifth less processor time.
 * Without arguments it builds every role; with names only those. A bundle appears whole or not at all. `--tests` builds dist/test
 * instead: a folder like dist whose agent, control plane and background process stop in a state where a test asks for it (test/pausing).
 */
import { build, type Plugin } from "esbuild"
import { copyFile, mkdir, rename, rm, rmdir, symlink, writeFile } from "node:fs/promises"
import { builtinModules } from "node:module"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

const entries: Record<string, string> = {
  cli: "src/cli/main.ts",
  control: "src/control/main.ts",
  agent: "src/agent/main.ts",
  local: "src/local/main.ts",
  dev: "src/dev/main.ts",
  world: "src/dev/world/main.ts",
  demo: "src/dev/demo/main.ts"
}
const testEntries: Record<string, string> = { "test/control": "test/pausing/control.ts", "test/agent": "test/pausing/agent.ts", "test/local": "test/pausing/local.ts" }

/**
 * Node's own modules as CommonJS has them. Imported as ES modules they are asked at once for all that they export, also for what Node
 * loads only when it is asked: node:http then loads all of undici, a fifth of what a command takes.
 */
const nodeModules: Plugin = {
  name: "node-modules",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: new RegExp(`^(node:.+|${builtinModules.join("|")})$`) }, ({ path }) => ({ path, namespace: "node" }))
    onLoad({ filter: /.*/, namespace: "node" }, ({ path }) => ({ contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`, loader: "js" }))
  }
}

const bundle = async (name: string) => {
  const entry = entries[name] ?? testEntries[name]
  if (entry === undefined) throw new Error(`no bundle is called ${name}; there are ${Object.keys(entries).join(", ")}, inspector`)
  const starter = `${root}dist/${name}.mjs`
  const outfile = `${root}dist/${name}.bundle.mjs`
  const unfinished = `${outfile}.${process.pid}`
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: unfinished,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    sourcemap: false,
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    logLevel: "warning",
    plugins: [nodeModules],
    // PGlite finds its WebAssembly beside its own file.
    external: ["@electric-sql/pglite"]
  })
  await rename(unfinished, outfile)
  await writeFile(unfinished, start(basename(outfile)))
  await rename(unfinished, starter)
}

/** Node looks a module up in the cache only once that is enabled. Where the folder cannot be written, or holds nothing fit, nothing changes. */
const start = (bundle: string) => `import { enableCompileCache } from "node:module"
enableCompileCache(import.meta.dirname + "/compile-cache")
await import("./${bundle}")
`

/** The page that shows actors: three files that a server hands out as they are. */
const inspector = async () => {
  const outdir = `${root}dist/inspector`
  const unfinished = `${outdir}.${process.pid}`
  await mkdir(outdir, { recursive: true })
  await build({
    absWorkingDir: root,
    entryPoints: [{ in: "console/inspector/main.tsx", out: "inspector" }, { in: "console/inspector/styles.css", out: "inspector" }],
    outdir: unfinished,
    bundle: true,
    platform: "browser",
    target: ["chrome125", "firefox128", "safari17.5"],
    // A classic script: the page also opens from the disk, where browsers refuse modules.
    format: "iife",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    minify: true,
    legalComments: "none",
    logLevel: "warning"
  })
  await copyFile(`${root}console/inspector/index.html`, `${unfinished}/index.html`)
  for (const file of ["inspector.js", "inspector.css", "index.html"]) await rename(`${unfinished}/${file}`, `${outdir}/${file}`)
  await rmdir(unfinished)
}

/** What is the same in both folders. */
const link = async (name: string) => {
  await rm(`${root}dist/test/${name}`, { force: true })
  await symlink(`../${name}`, `${root}dist/test/${name}`)
}

const wanted = process.argv.slice(2)
if (wanted.includes("--tests")) {
  await mkdir(`${root}dist/test`, { recursive: true })
  await Promise.all([...Object.keys(testEntries).map(bundle), ...["cli.mjs", "dev.mjs", "world.mjs", "bin", "inspector", "pgdata"].map(link)])
} else {
  await Promise.all((wanted.length > 0 ? wanted : [...Object.keys(entries), "inspector"]).map((name) => name === "inspector" ? inspector() : bundle(name)))
}
