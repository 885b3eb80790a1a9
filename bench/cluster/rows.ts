/** Rows about the whole product, each measured in a disposable cluster of its own. */
import type { Figure } from "../figures.ts"

export const clusterRows: Readonly<Record<string, (found: (figure: Figure) => void, rounds: number) => Promise<void>>> = {}
