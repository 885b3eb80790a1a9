/**
 * `npm test` runs what needs no privileges and no built binaries. `TEST_REAL=1` runs the tests on real
 * processes and namespaces instead.
 */
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const real = ["test/netns/**/*.test.ts", "test/e2e/**/*.test.ts", "test/inspector/**/*.browser.test.ts"]
const runsReal = process.env["TEST_REAL"] === "1"

/** Those that take over half a minute, from the longest on: started first, so that nobody waits for one alone in the end. */
const longest = [
  "killDeveloper", "killControl", "diagnosisHosts", "simulation.test", "mutants", "mesh.test", "killAgents", "meshTools", "meshForwardFaults", "demo", "story", "meshForward.test",
  "revocation", "meshPublish", "meshExec", "debug.test", "streams", "devCluster", "maxAge"
]

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.includes(`/${name}`))
      return at === -1 ? longest.length : at
    }
    return (await super.sort(files)).sort((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  test: {
    include: runsReal ? real : ["test/**/*.test.ts"],
    exclude: runsReal ? [] : real,
    pool: "forks",
    isolate: runsReal, // the others leave nothing behind in their modules, and to load those anew for each file takes as long as the tests
    execArgv: ["--wasm-tiering-budget=200000000"], // as bin/gstacks runs a control plane
    maxWorkers: runsReal ? 3 : 2, // the real ones wait more than they compute
    maxConcurrency: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: runsReal ? 120_000 : 30_000,
    hookTimeout: runsReal ? 300_000 : 30_000
  }
})
