/**
 * First process of a disposable set of namespaces, in which everything is measured that needs no control plane and no
 * agent: this file plays their part towards meshd. It ends, and with it all that it started, when its standard input
 * closes, however its starter died.
 */
import { mkdirSync } from "node:fs"
import { acrossHosts } from "./acrossHosts.ts"
import { dns } from "./dns.ts"
import { memory } from "./memory.ts"
import { makeNamespaces } from "./namespaces.ts"
import { note, options } from "./options.ts"
import { folder } from "./processes.ts"
import { restart } from "./restart.ts"
import { sameHost } from "./sameHost.ts"

process.stdin.on("end", () => process.exit(130)).on("error", () => process.exit(130)).resume()

const rows = { "same-host": sameHost, "across-hosts": acrossHosts, dns, memory, restart }

mkdirSync(folder)
makeNamespaces()
for (const [name, measureRow] of Object.entries(rows)) {
  if (!options().rows.includes(name)) continue
  try {
    await measureRow()
  } catch (error) {
    note(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
process.exit()
