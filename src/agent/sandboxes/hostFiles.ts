/**
 * The host's side of a jail: what is to be hidden, which bind mounts may be had, and the few files of /etc that a sandbox
 * sees another version of, so that names resolve through its own resolver and its user has a name.
 */
import { Effect } from "effect"
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, isAbsolute, join, resolve } from "node:path"
import type { Bind } from "../../domain/Sandbox.ts"
import { resolverAddress } from "../../domain/VirtualAddress.ts"
import type { Settings } from "../Config.ts"
import { type FileTrouble, writeAtomic } from "../files.ts"
import { home, isWithin, type Jail, outermost, uid } from "./bwrap.ts"

export type Hidden = Pick<Jail, "scratch" | "hidden" | "masked">

/** What every program expects to be able to write to. `/home/sandbox` is made there. */
const scratchFolders = ["/tmp", "/var/tmp", "/run", "/home", "/root"]
/** Data of the host and of its services; a sandbox sees of it what is bound. */
const dataFolders = ["/boot", "/srv", "/mnt", "/media", "/lost+found", ...["lib", "log", "spool", "mail", "backups", "cache", "crash", "local", "opt"].map((name) => `/var/${name}`)]
/** Not folders but windows into the kernel: through one of another namespace a sandbox would reach the host. */
const kernelFolders = ["/proc", "/sys", "/dev"]

const isFolder = (path: string): boolean => { try { return statSync(path).isDirectory() } catch { return false } }
const real = (path: string): string => { try { return realpathSync(path) } catch { return resolve(path) } }

/** What no sandbox may see, whatever it binds. */
export const secretFolders = (settings: Settings): ReadonlyArray<string> =>
  outermost([settings.stateDir, settings.runtimeDir, dirname(settings.meshdSocket), ...settings.hide].map(real))

/**
 * Where the agent is root, so is the sandbox's user as far as files go. Hence what not everyone on the host may read is
 * hidden too, wherever such things are kept.
 */
export const hiddenPaths = (settings: Settings): Hidden => {
  const scratch = outermost(scratchFolders.map(real).filter(isFolder))
  const secret = secretFolders(settings)
  const found = [...privateEntries("/etc", true), ...privateEntries("/usr/local/etc", true), ...privateEntries("/opt", false), ...privateEntries("/", false)]
  const folders = [...dataFolders.map(real), real(homedir()), ...secret, ...found].filter((path) => path !== "/" && isFolder(path))
  const hidden = outermost(folders.filter((path) => ![...scratch, ...kernelFolders].some((parent) => isWithin(path, parent))))
  const files = [...settings.hide.map(real), ...found].filter((path) => existsSync(path) && !isFolder(path))
  return { scratch, hidden, masked: [...new Set(files)].filter((path) => ![...scratch, ...hidden, ...kernelFolders].some((parent) => isWithin(path, parent))) }
}

/** Files and folders below `folder` that not everyone may read; `deep` looks into those that everyone may. */
const privateEntries = (folder: string, deep: boolean): ReadonlyArray<string> => {
  try {
    return readdirSync(folder).flatMap((name) => {
      const path = join(folder, name)
      const status = lstatSync(path)
      if (status.isSymbolicLink()) return []
      const needed = status.isDirectory() ? 0o005 : 0o004
      if ((status.mode & needed) !== needed) return [path]
      return deep && status.isDirectory() ? privateEntries(path, deep) : []
    })
  } catch {
    return [] // not there, or gone while we looked
  }
}

/** Why a bind mount cannot be had; undefined when it can. */
export const bindProblem = ({ source, target }: Bind, secret: ReadonlyArray<string>, { scratch, hidden }: Pick<Hidden, "scratch" | "hidden">): string | undefined => {
  if (!isAbsolute(source)) return `"${source}" is no absolute path of the host to bind`
  if (!existsSync(source)) return `the host has no ${source} to bind`
  if (!isAbsolute(target) || resolve(target) === "/") return `a bind needs a path inside the sandbox, such as /data; "${target}" is none`
  const from = real(source)
  const clash = secret.find((folder) => isWithin(folder, from) || isWithin(from, folder))
  if (clash !== undefined) return `${source} holds or is part of what the agent keeps to itself (${clash}); bind a folder elsewhere`
  const kernel = [from, resolve(target)].find((path) => kernelFolders.some((folder) => isWithin(path, folder)))
  if (kernel !== undefined) return `${kernel} belongs to the kernel and cannot be bound; a sandbox has its own ${kernelFolders.join(", ")}`
  const folders = [...scratch, ...hidden]
  const made = folders.some((folder) => isWithin(resolve(target), folder))
  return made || existsSync(target) ? undefined : `the sandbox has no ${target}, and its root is read-only: bind to a path that the host has, or below ${folders.join(", ")}`
}

/** With the paths that were checked, in place of names that a program could lead elsewhere. */
export const checkedBind = ({ source, target, writable }: Bind): Bind => ({ source: real(source), target: resolve(target), writable })

/** Where a path leads, though its last part may not exist. */
export const followed = (path: string): string => {
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
export const replaceFiles = Effect.fnUntraced(function*(folder: string, name: string, { scratch, hidden }: Hidden): Effect.fn.Return<Jail["replaced"], FileTrouble> {
  const replaced: Array<{ readonly source: string; readonly target: string }> = []
  for (const [path, text] of Object.entries(contents(name))) {
    const target = followed(path)
    if (!existsSync(target) && ![...scratch, ...hidden].some((parent) => isWithin(target, parent))) continue
    const source = join(folder, "etc", path.slice("/etc/".length))
    yield* writeAtomic(source, text(), 0o644)
    replaced.push({ source, target })
  }
  return replaced
})
