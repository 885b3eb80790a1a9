/** Writes docs/cli.md from the command tree. `node scripts/docs-cli.ts`; a test says when the page is stale. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Option } from "effect"
import { CliConfig, CliOutput, Command, type HelpDoc } from "effect/cli"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { gstacks } from "../src/cli/commands/gstacks.ts"
import { ControlApi } from "../src/cli/ControlApi.ts"
import { globalFlags } from "../src/cli/GlobalFlags.ts"
import { LocalAgent } from "../src/cli/LocalAgent.ts"
import { LocalDaemon } from "../src/cli/LocalDaemon.ts"
import { flagRows, usageOf } from "../src/cli/output/help.ts"
import { ownFlags } from "../src/cli/run.ts"
import { Shell } from "../src/cli/Shell.ts"
import { version } from "../src/cli/version.ts"

export const cliPagePath = join(import.meta.dirname, "../docs/cli.md")

const preface = `# gstacks: the command

Generated from the command tree by \`node scripts/docs-cli.ts\`; do not edit.

## How every command behaves

- **Streams.** The result is on stdout; receipts, hints, progress and errors are on stderr. Text is plain ASCII.
- **Formats.** \`-o table|json|jsonl|yaml|name\`; \`--json\` is \`-o json\`. JSON only grows. An empty list prints the next command on stderr and exits 0.
- **Changes** to a network print what changed, then wait until every agent that takes part has applied it and print the receipt:
  \`topology v7 applied by 2/2 agents in 41 ms\`, and \`; 3 connections closed, last byte 11 ms after commit\` when it took away what open
  connections rested on (what the figures mean: [security.md](security.md#revocation)). The wait is the default, on a terminal and in scripts alike, so that what follows can
  rely on the change; \`--wait=stored\` does not wait, \`--wait=ready\` waits for the hosts to join the mesh too (seconds, after a first attach),
  \`--timeout\` (default 30s) limits the wait. When it is over the exit code is 6, the
  message names the agents that are pending, and the change stays: they apply it when they can. In JSON a change is one document
  \`{"value": ..., "change": {"network", "version", ...}, "receipt": ...}\`; \`sandbox remove\`, which can change several networks, has lists
  \`changes\` and \`receipts\`.
- **Errors** say what and why (\`error: ...\`) and what to run next (\`next: ...\`). With \`--json\` the same is an RFC 9457 problem document on stdout.
- **Removing** asks at a terminal, and needs \`--yes\` without one.
- **Where a command goes**: flag before environment before context before default (\`http://127.0.0.1:7070\`). Contexts are in
  \`$XDG_CONFIG_HOME/gstacks/config.json\`, mode 0600. A context's token is sent to that context's URL only.
- **Programs** of \`sandbox run\` and \`sandbox exec\` stand after \`--\`; everything there is passed as it is. \`exec\` passes
  standard input, both outputs, signals and the exit code, and allocates no terminal.
- **Completions**: \`source <(gstacks --completions bash)\`; also zsh, fish and powershell.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed, or \`network test\` says unreachable |
| 2 | the command line is not valid |
| 3 | not found |
| 4 | login needed |
| 5 | \`network test\` says denied |
| 6 | stored, but not applied by every agent in time |
| 125 | \`sandbox exec\` or \`mesh exec\` itself failed; any other code is the program's |
| 130 | interrupted |
`

const services = Layer.mergeAll(Layer.mock(ControlApi, {}), Layer.mock(LocalAgent, {}), Layer.mock(LocalDaemon, {}), Layer.mock(Shell, { args: [], env: {}, colours: false, screen: null, interactive: false }))
const tree = gstacks.pipe(Command.provide(services), Command.withGlobalFlags(globalFlags))

/** The help document of one command, by way of its own `--help`. */
const helpOf = (path: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const shown: Array<HelpDoc.HelpDoc> = []
    yield* Command.runWith(tree, { version })([...path, "--help"]).pipe(
      Effect.provideService(CliOutput.Presenter, { present: (event) => Effect.sync(() => { if (event._tag === "Help") shown.push(event.helpDoc) }) }),
      Effect.provideService(CliConfig.CliConfig, ownFlags),
      Effect.provide(NodeServices.layer)
    )
    return shown[0]!
  })

const cell = (text: string): string => text.replaceAll("|", "\\|")
/** Outside code, `<name>` would be taken for HTML. */
const prose = (text: string): string => cell(text).replaceAll("<", "\\<")
const table = (title: string, rows: ReadonlyArray<readonly [string, string]>): string =>
  rows.length === 0 ? "" : `\n| ${title} | |\n|---|---|\n${rows.map(([name, text]) => `| \`${cell(name)}\` | ${prose(text)} |\n`).join("")}`

/** An example that only repeats the usage says nothing. */
const examples = (doc: HelpDoc.HelpDoc): string => {
  const commands = (doc.examples ?? []).map(({ command }) => command).filter((command) => command !== usageOf(doc))
  return commands.length === 0 ? "" : `\n\`\`\`sh\n${commands.join("\n")}\n\`\`\`\n`
}

const leaf = (doc: HelpDoc.HelpDoc): string =>
  `\n### ${(doc.commandPath ?? []).join(" ")}\n\n${prose(doc.description)}.\n\n    ${usageOf(doc)}\n` +
  table("argument", (doc.args ?? []).map((arg) => [arg.name, Option.getOrElse(arg.description, () => "")])) +
  table("flag", flagRows(doc.flags)) + examples(doc)

const children = (doc: HelpDoc.HelpDoc): ReadonlyArray<string> => (doc.subcommands ?? []).flatMap(({ commands }) => commands.map(({ name }) => name))

const pages = (path: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.gen(function*() {
    const doc = yield* Effect.orDie(helpOf(path))
    const below = children(doc)
    if (below.length === 0) return leaf(doc)
    const heading = path.length === 0 ? "" : `\n## ${(doc.commandPath ?? []).join(" ")}\n\n${prose(doc.description)}.\n`
    return heading + (yield* Effect.forEach(below, (name) => pages([...path, name]))).join("")
  })

export const cliPage = Effect.gen(function*() {
  const root = yield* Effect.orDie(helpOf([]))
  return `${preface}\n## Flags that every command takes\n${table("flag", flagRows(root.globalFlags ?? []))}${yield* pages([])}`
})

if (import.meta.main) writeFileSync(cliPagePath, await Effect.runPromise(cliPage))
