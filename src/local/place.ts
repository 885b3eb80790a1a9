/**
 * What the namespaces of a command are made of: the user's own files, but names are asked of meshd, and of nobody else: neither
 * the machine's resolver nor a cache that answers at a socket.
 */
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DataPlane } from "../agent/dataplane/DataPlane.ts"
import { writeAtomic } from "../agent/files.ts"
import { followed } from "../agent/sandboxes/hostFiles.ts"
import { whyNoNamespaces } from "../cli/LocalDaemon/userNamespace.ts"
import { resolverAddress } from "../domain/VirtualAddress.ts"
import { type CommandPlace, MeshRefused } from "../protocol/local/MeshRpcs.ts"
import { Places } from "./Places.ts"

const files: Readonly<Record<string, (before: string) => string>> = {
  "/etc/resolv.conf": () => `nameserver ${resolverAddress}\noptions timeout:2 attempts:2\n`,
  "/etc/nsswitch.conf": (before) => before.replace(/^hosts:.*$/m, "hosts: files dns")
}
/** The name service cache's sockets. */
const caches = ["/run/nscd", "/var/run/nscd"]

export const placeFor = (network: string): Effect.Effect<CommandPlace, MeshRefused, DataPlane | Places> => Effect.gen(function*() {
  const { runtimeDir } = yield* Places
  const hello = yield* (yield* DataPlane).hello
  if (hello === undefined) return yield* new MeshRefused({ code: "meshd-away", message: "meshd is away for a moment", hint: "try again; see gstacks mesh status" })
  if (!hello.capabilities.netns) {
    const { command, reason } = whyNoNamespaces()
    return yield* new MeshRefused({ code: "no-namespaces", message: `a command cannot be given a network of its own: ${reason}`, hint: `${command}; then kill ${process.pid}, which is the background process, and gstacks mesh join ${network}` })
  }
  if (!existsSync("/etc/resolv.conf")) return yield* new MeshRefused({ code: "no-resolver-file", message: "this machine has no /etc/resolv.conf, in whose place the command would see another", hint: "sudo touch /etc/resolv.conf" })
  const replaced = yield* Effect.forEach(Object.entries(files).filter(([path]) => existsSync(path)), ([path, text]) => Effect.gen(function*() {
    const source = join(runtimeDir, path)
    yield* writeAtomic(source, text(readFileSync(path, "utf8")))
    return { source, target: followed(path) }
  }))
  return { pid: process.pid, files: replaced, empty: [...new Set(caches.filter(existsSync).map(followed))] }
}).pipe(Effect.catchTag("FileTrouble", ({ message }) => new MeshRefused({ code: "no-place", message, hint: "see gstacks mesh status" })))
