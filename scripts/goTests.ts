/**
 * Runs the Go tests of meshd, the real ones in namespaces too, writes `go test`'s events to the file that is named, and shows a line a
 * package with the output of what failed. The race detector is on where there is a C compiler for it.
 */
import { spawn, spawnSync } from "node:child_process"
import { createWriteStream, readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

interface Event {
  readonly Action: string
  readonly Package?: string
  readonly Test?: string
  readonly Elapsed?: number
  readonly Output?: string
}

const root = fileURLToPath(new URL("..", import.meta.url))
const file = process.argv[2]
if (file === undefined) throw new Error("usage: goTests.ts FILE")

const tags = [readFileSync(`${root}meshd/build-tags.txt`, "utf8").trim(), "e2e"].join(",")
const canRace = spawnSync("cc", ["--version"]).status === 0
if (!canRace) console.log("no C compiler here: Go tests run without the race detector (apt-get install gcc libc6-dev)")

const env = { ...process.env, GSTACKS_MESHD: `${root}dist/bin/meshd`, GSTACKS_HEADSCALE: `${root}dist/bin/headscale`, GOTOOLCHAIN: "local" }
const code = (child: ReturnType<typeof spawn>) => new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)))

const vet = await code(spawn("go", ["vet", "-tags", tags, "./..."], { cwd: `${root}meshd`, env, stdio: "inherit" }))

const events = createWriteStream(file)
const tests = spawn("go", ["test", "-json", "-p", "2", "-timeout", "20m", ...canRace ? ["-race"] : [], "-tags", tags, "./..."], {
  cwd: `${root}meshd`, env, stdio: ["ignore", "pipe", "inherit"]
})
const output = new Map<string, Array<string>>()
createInterface({ input: tests.stdout }).on("line", (line) => {
  events.write(`${line}\n`)
  let event: Event
  try {
    event = JSON.parse(line)
  } catch {
    return void console.log(line)
  }
  const key = `${event.Package ?? ""} ${event.Test ?? ""}`
  if (event.Output !== undefined) output.set(key, [...output.get(key) ?? [], event.Output])
  if (event.Action === "fail") process.stdout.write((output.get(key) ?? []).join(""))
  if (event.Action === "build-output") process.stdout.write(event.Output ?? "")
  if (event.Test === undefined && ["pass", "fail"].includes(event.Action)) console.log(`${event.Action} ${event.Package} (${event.Elapsed ?? 0} s)`)
  if (event.Action !== "output" && event.Action !== "run") output.delete(key)
})
const ran = await code(tests)
await new Promise((resolve) => events.end(resolve))
process.exitCode = vet === 0 && ran === 0 ? 0 : 1
