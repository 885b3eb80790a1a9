/**
 * A private PostgreSQL for tests: its own cluster in a temporary folder, reachable only through a Unix socket there, stopped and
 * deleted when the scope closes. As root it runs under another uid, because PostgreSQL refuses to be root.
 */
import { Effect, Redacted } from "effect"
import { execFile, spawn } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { chmod, chown, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)
const nobody = 65_534

const binaries = (): string => {
  const versions = "/usr/lib/postgresql"
  const found = existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, "bin")).find((dir) => existsSync(join(dir, "initdb"))) : undefined
  if (found === undefined) throw new Error("These tests need PostgreSQL's server programs: apt-get install postgresql")
  return found
}

const cluster = Effect.acquireRelease(
  Effect.promise(async () => {
    const bin = binaries()
    const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}
    const folder = await mkdtemp(join(tmpdir(), "gs-pg-"))
    await chmod(folder, 0o711)
    if ("uid" in user) await chown(folder, nobody, nobody)
    const options = { ...user, cwd: folder, env: { ...process.env, HOME: folder, LC_ALL: "C" } }
    await run(join(bin, "initdb"), ["-D", "data", "-U", "gstacks", "--auth=trust", "--no-sync", "-E", "UTF8"], options)
    const server = spawn(join(bin, "postgres"), ["-D", "data", "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"], { ...options, stdio: "ignore" })
    const exited = new Promise<void>((done) => server.once("exit", () => done()))
    await waitReady(join(bin, "pg_isready"), folder)
    return { bin, folder, server, exited }
  }),
  ({ folder, server, exited }) => Effect.promise(async () => {
    server.kill("SIGQUIT")
    await exited
    await rm(folder, { recursive: true, force: true })
  })
)

/** `pg_isready` answers at once, ready or not, so it is asked until the server says yes. */
const waitReady = async (program: string, folder: string): Promise<void> => {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    if (await run(program, ["-h", folder, "-U", "gstacks", "-t", "1"]).then(() => true, () => false)) return
  }
  throw new Error("PostgreSQL did not start within 20 seconds")
}

/** Hands out a fresh, empty database of the cluster on each call. */
export const postgres = Effect.map(cluster, ({ bin, folder }) => {
  let databases = 0
  return {
    database: Effect.promise(async () => {
      const name = `test_${++databases}`
      await run(join(bin, "createdb"), ["-h", folder, "-U", "gstacks", name])
      return Redacted.make(`postgres://gstacks@localhost/${name}?host=${encodeURIComponent(folder)}`)
    })
  }
})
