/** Cuts a machine's way to the control plane: nothing passes, and its own end of each connection is reset so that it knows. */
import { assert } from "@effect/vitest"
import type { Result } from "../harness/cluster.ts"

/** Runs a command in the machine's network. */
type Exec = (...command: ReadonlyArray<string>) => Promise<Result>

const rules = "add table inet cut; add chain inet cut out { type filter hook output priority 0; }; add chain inet cut in { type filter hook input priority 0; }; " +
  "add rule inet cut in tcp sport 7070 drop; add rule inet cut out tcp dport 7070 reject with tcp reset"

export const partition = async (exec: Exec): Promise<void> => {
  const { code, stderr } = await exec("nft", rules)
  assert.strictEqual(code, 0, stderr)
}

export const heal = (exec: Exec): Promise<Result> => exec("nft", "delete table inet cut")
