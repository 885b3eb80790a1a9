/** Rows about the whole product, measured on disposable clusters by the same commands and API that users have. */
import type { Figure } from "../figures.ts"
import { demo, help } from "./commands.ts"
import { forward } from "./forward.ts"
import { clusterMemory } from "./memory.ts"
import { clusterRestart } from "./restart.ts"
import { revocation } from "./revocation.ts"
import { rules } from "./rules.ts"

type MeasureRow = (found: (figure: Figure) => void, rounds: number) => Promise<void>

export const clusterRows: Readonly<Record<string, MeasureRow>> = {
  rules, revocation: revocation(2), "revocation-8": revocation(8), forward, "cluster-memory": clusterMemory, "cluster-restart": clusterRestart, help, demo
}
