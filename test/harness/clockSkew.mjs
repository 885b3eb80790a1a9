// Loaded into the agents of a cluster (NODE_OPTIONS=--import): the wall clock of a host's agent is wrong by the milliseconds that the
// file $GS_TEST_SKEW.<host> holds, while it is there.
import { readFileSync } from "node:fs"

const { GLOBALSTACKS_AGENT_NAME: host, GS_TEST_SKEW: file } = process.env
const skew = () => {
  try {
    return Number(readFileSync(`${file}.${host}`, "utf8"))
  } catch {
    return 0
  }
}
if (host !== undefined && file !== undefined) {
  const now = Date.now
  Date.now = () => now() + skew()
}
