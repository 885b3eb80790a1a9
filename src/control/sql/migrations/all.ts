/** Every migration, in order. Append only: a migration that has been released is never edited, and a new one takes the next number. */
import { init } from "./0001_init.ts"
import { ruleTerms } from "./0002_rule_terms.ts"
import { diagnosticRuns } from "./0003_diagnostic_runs.ts"
import { localNodes } from "./0004_local_nodes.ts"
import { closedStreams } from "./0005_closed_streams.ts"
import { limits } from "./0006_limits.ts"
import { publishedPorts } from "./0007_published_ports.ts"

export const migrations = {
  "0001_init": init,
  "0002_rule_terms": ruleTerms,
  "0003_diagnostic_runs": diagnosticRuns,
  "0004_local_nodes": localNodes,
  "0005_closed_streams": closedStreams,
  "0006_limits": limits,
  "0007_published_ports": publishedPorts
}
