/** Reads the kernel's list of a network namespace's sockets (`/proc/PID/net/tcp`) for those that listen. */

export interface Listening {
  readonly address: string
  readonly port: number
  /** Connections that wait to be accepted. */
  readonly waiting: number
}

const listen = "0A"

export const listeningIn = (table: string): ReadonlyArray<Listening> => table.split("\n").slice(1).flatMap((line) => {
  const [, local = "", , state, queues = ""] = line.trim().split(/\s+/)
  const [address = "", port = ""] = local.split(":")
  return state === listen ? [{ address: addressOf(address), port: Number.parseInt(port, 16), waiting: Number.parseInt(queues.split(":")[1] ?? "0", 16) }] : []
})

/** Words of four bytes, each in the host's (little-endian) order. */
const addressOf = (hex: string): string => {
  const bytes = Buffer.concat((hex.match(/.{8}/g) ?? []).map((word) => Buffer.from(word, "hex").reverse()))
  if (bytes.length === 4) return bytes.join(".")
  if (bytes.every((byte) => byte === 0)) return "::"
  if (bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return "::1"
  return (bytes.toString("hex").match(/.{4}/g) ?? []).map((group) => group.replace(/^0{1,3}/, "")).join(":")
}

/** What an agent's connection to 127.0.0.1, then to ::1, comes to. */
export const reachesLoopback = ({ address }: Listening): boolean => ["127.0.0.1", "0.0.0.0", "::", "::1"].includes(address)
