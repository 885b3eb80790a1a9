/**
 * The variables that tell a program where its forwards listen: `API_DEV_URL`, `_HOST` and `_PORT` of alias `api` in network `dev`, which
 * are of its lowest port, and `API_DEV_8080_URL` and so on of each port. The scheme is a guess by the alias's port; user names, passwords
 * and databases are the program's own. A Unix socket has `_SOCKET` alone. Pure.
 */
import type { ForwardStatus } from "../../../../protocol/local/MeshRpcs.ts"

const schemes: Readonly<Record<number, string>> = {
  22: "ssh", 443: "https", 1433: "sqlserver", 3306: "mysql", 4222: "nats", 5432: "postgres", 5671: "amqps", 5672: "amqp", 6379: "redis", 8443: "https", 27017: "mongodb"
}

type Variable = readonly [name: string, value: string]
type Listening = Pick<ForwardStatus, "network" | "alias" | "port" | "listen">

const named = (...words: ReadonlyArray<string | number>): string => words.join("_").toUpperCase().replaceAll("-", "_")

const valuesOf = ({ listen, port }: Listening): ReadonlyArray<Variable> => {
  if (listen.startsWith("unix:")) return [["SOCKET", listen.slice("unix:".length)]]
  const colon = listen.lastIndexOf(":")
  return [["URL", `${schemes[port] ?? "http"}://${listen}`], ["HOST", listen.slice(0, colon).replace(/^\[(.*)\]$/, "$1")], ["PORT", listen.slice(colon + 1)]]
}

export const environment = (forwards: ReadonlyArray<Listening>): ReadonlyArray<Variable> => {
  const told = new Set<string>()
  return [...forwards].sort((a, b) => (a.alias === b.alias ? a.port - b.port : a.alias < b.alias ? -1 : 1)).flatMap((forward) => {
    const { alias, network, port } = forward
    const names = told.has(alias) ? [named(alias, network, port)] : [named(alias, network), named(alias, network, port)]
    told.add(alias)
    return names.flatMap((name) => valuesOf(forward).map(([what, value]): Variable => [`${name}_${what}`, value]))
  })
}

/** For `eval "$(...)"` in a POSIX shell. */
export const exported = (variables: ReadonlyArray<Variable>): string =>
  variables.map(([name, value]) => `export ${name}=${/^[\w.:/[\]@-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`}\n`).join("")
