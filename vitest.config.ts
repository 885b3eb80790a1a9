/**
 * `npm test` runs what needs no privileges and no built binaries. `TEST_REAL=1` runs the tests on real
 * processes and namespaces instead.
 */
import { defineConfig } from "vitest/config"

const real = ["test/netns/**/*.test.ts", "test/e2e/**/*.test.ts"]
const runsReal = process.env["TEST_REAL"] === "1"

export default defineConfig({
  test: {
    include: runsReal ? real : ["test/**/*.test.ts"],
    exclude: runsReal ? [] : real,
    pool: "forks",
    maxWorkers: runsReal ? 1 : 2,
    testTimeout: runsReal ? 120_000 : 10_000,
    hookTimeout: runsReal ? 300_000 : 30_000
  }
})
