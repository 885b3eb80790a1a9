/**
 * One background process a user. The lock is the kernel's (`flock`) on a file that the process, and the meshd that it starts, keep open:
 * however they die, it ends with the last of them, and the next one touches nothing of theirs before.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"

const patienceSeconds = 10
const removalMs = 5_000

/** Words to put before a program, so that it runs alone: one that comes second waits, and leaves when the first is still there. None where util-linux is not (macOS). */
export const alone = (lock: string): ReadonlyArray<string> =>
  spawnSync("flock", ["--version"], { stdio: "ignore" }).status === 0
    ? ["flock", "--no-fork", "--exclusive", "--timeout", String(patienceSeconds), "--conflict-exit-code", "0", lock]
    : []

/** Removes what a killed one has left. While one starts, runs or ends it has the lock, and nothing is touched; nor where there is no `flock`. */
export const removeRemains = (lock: string, remains: ReadonlyArray<string>): void => {
  if (remains.some((path) => existsSync(path))) spawnSync("flock", ["--exclusive", "--nonblock", lock, "rm", "-rf", "--", ...remains], { stdio: "ignore", timeout: removalMs })
}
