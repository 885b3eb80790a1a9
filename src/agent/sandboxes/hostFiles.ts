/**
 * The host's side of a jail: which folders are to be hidden, which bind mounts may be had, and the few files of /etc that a
 * sandbox sees another version of, so that names resolve through its own resolver and its user has a name.
 */
import { Effect } from "effect"
import { existsSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join, resolve } from "node:path"
import type { Bind } from "../../domain/Sandbox.ts"
import { resolverAddress } from "../../domain/VirtualAddress.ts"
import type { Settings } from "../Config.ts"
import { type FileTrouble, writeAtomic } from "../files.ts"
import { alwaysHidden, home, isWithin, type Jail, outermost, uid } from "./bwrap.ts"

const isFolder = (path: string): boolean => { try { return statSync(path).isDirectory() } catch { return false } }
const real = (path: string): string => { try { return realpathSync(path) } catch { return resolve(path) } }

/** What no sandbox may see, whatever it binds. */
export const secretFolders = (settings: Settings): ReadonlyArray<string> =>
  outermost([settings.stateDir, settings.runtimeDir, dirname(settings.meshdSocket), ...settings.hide].map(real))

export const hiddenFolders = (settings: Settings): ReadonlyArray<string> =>
  outermost([...alwaysHidden, homedir(), ...secretFolders(settings)].map(real).filter((path) => path !== "/" && isFolder(path)))

/** Why a bind mount cannot be had; undefined when it can. */
export const bindProblem = ({ source, target }: Bind, secret: ReadonlyArray<string>, hidden: ReadonlyArray<string>): string | undefined => {
  if (!existsSync(source)) return `the host has no ${source} to bind`
  if (!target.startsWith("/") || resolve(target) === "/") return `a bind needs a path inside the sandbox, such as /data; "${target}" is none`
  const from = real(source)
  const clash = secret.find((folder) => isWithin(folder, from) || isWithin(from, folder))
  if (clash !== undefined) return `${source} holds or is part of what the agent keeps to itself (${clash}); bind a folder elsewhere`
  const made = hidden.some((folder) => isWithin(target, folder))
  return made || existsSync(target) ? undefined : `the sandbox has no ${target}, and its root is read-only: bind to a path that the host has, or below ${hidden.join(", ")}`
}

/** Where a path leads, though its last part may not exist. */
const followed = (path: string): string => {
  for (let at = path, hops = 0; hops < 40; hops++) {
    try {
      at = resolve(dirname(at), readlinkSync(at))
    } catch {
      return join(real(dirname(at)), at.slice(at.lastIndexOf("/") + 1))
    }
  }
  return path
}

const contents = (name: string): Readonly<Record<string, () => string>> => ({
  "/etc/resolv.conf": () => `nameserver ${resolverAddress}\noptions timeout:2 attempts:2\n`,
  "/etc/nsswitch.conf": () => "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nprotocols: files\nservices: files\n",
  "/etc/hosts": () => `127.0.0.1 localhost ${name}\n::1 localhost\n`,
  "/etc/passwd": () => `${withoutId("/etc/passwd")}sandbox:x:${uid}:${uid}::${home}:/bin/sh\n`,
  "/etc/group": () => `${withoutId("/etc/group")}sandbox:x:${uid}:\n`
})
const withoutId = (path: string): string =>
  readFileSync(path, "utf8").split("\n").filter((line) => line !== "" && !line.startsWith("sandbox:") && line.split(":")[2] !== String(uid)).map((line) => `${line}\n`).join("")

/** Writes the sandbox's versions below `folder`. One that the host does not have cannot be shown: only the resolver's must be. */
export const replaceFiles = Effect.fnUntraced(function*(folder: string, name: string, hidden: ReadonlyArray<string>): Effect.fn.Return<Jail["replaced"], FileTrouble> {
  const replaced: Array<{ readonly source: string; readonly target: string }> = []
  for (const [path, text] of Object.entries(contents(name))) {
    const target = followed(path)
    if (!existsSync(target) && !hidden.some((parent) => isWithin(target, parent))) continue
    const source = join(folder, "etc", path.slice("/etc/".length))
    yield* writeAtomic(source, text(), 0o644)
    replaced.push({ source, target })
  }
  return replaced
})
