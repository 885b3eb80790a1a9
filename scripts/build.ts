/**
 * Bundles each role into one file under dist/, so that `gstacks --help` does not wait for modules it never uses.
 * Without arguments it builds every role; with names only those. A bundle appears whole or not at all.
 */
import { build } from "esbuild"
import { rename } from "node:fs/promises"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

const entries: Record<string, string> = {
  cli: "src/cli/main.ts",
  control: "src/control/main.ts",
  agent: "src/agent/main.ts",
  dev: "src/dev/main.ts",
  world: "src/dev/world/main.ts",
  demo: "src/dev/demo/main.ts"
}

const bundle = async (name: string) => {
  const entry = entries[name]
  if (entry === undefined) throw new Error(`no bundle is called ${name}; there are ${Object.keys(entries).join(", ")}`)
  const outfile = `${root}dist/${name}.mjs`
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
    // PGlite finds its WebAssembly beside its own file.
    external: ["@electric-sql/pglite"],
    // Dependencies in CommonJS call require for Node's own modules.
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" }
  })
  await rename(unfinished, outfile)
}

const wanted = process.argv.slice(2)
await Promise.all((wanted.length > 0 ? wanted : Object.keys(entries)).map(bundle))
