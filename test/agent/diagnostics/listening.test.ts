import { assert, it } from "@effect/vitest"
import { listeningIn } from "../../../src/agent/diagnostics/listening.ts"

const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000005 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0200407F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0 20 4 30 10 -1
`
const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0
   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0
`

it("tells who listens where, and how many wait", () => {
  assert.deepStrictEqual(listeningIn(tcp), [{ address: "127.0.0.1", port: 3000, waiting: 5 }])
  assert.deepStrictEqual(listeningIn(tcp6), [{ address: "::", port: 8080, waiting: 0 }, { address: "::1", port: 80, waiting: 0 }])
  assert.deepStrictEqual(listeningIn(""), [])
})
