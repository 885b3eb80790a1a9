/**
 * Puts into README.md, between its two transcript marks, what `npm run demo -- --once` just printed, so that the transcript there
 * always is one that really ran. Fails, and leaves the file alone, when the demo does.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const readme = `${root}README.md`
const begin = "<!-- transcript: node scripts/transcript.ts -->"
const end = "<!-- end of transcript -->"

const demo = spawnSync(`${root}scripts/demo`, ["--once"], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
if (demo.status !== 0) throw new Error(`the demo ended with exit code ${demo.status}`)

const text = readFileSync(readme, "utf8")
const from = text.indexOf(begin), to = text.indexOf(end)
if (from < 0 || to < from) throw new Error(`README.md has no place for the transcript: it goes between ${begin} and ${end}`)

writeFileSync(`${readme}.new`, `${text.slice(0, from + begin.length)}\n\`\`\`console\n${demo.stdout.replaceAll("\r", "").trim()}\n\`\`\`\n${text.slice(to)}`)
renameSync(`${readme}.new`, readme)
