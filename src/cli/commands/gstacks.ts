/** The tree of every command. */
import { Command } from "effect/cli"
import { agent } from "./agent/agent.ts"
import { context } from "./context/context.ts"
import { debug } from "./debug/debug.ts"
import { doctor } from "./doctor.ts"
import { control, devCluster } from "./elsewhere.ts"
import { login } from "./login.ts"
import { logout } from "./logout.ts"
import { mesh } from "./mesh/mesh.ts"
import { network } from "./network/network.ts"
import { sandbox } from "./sandbox/sandbox.ts"
import { whoami } from "./whoami.ts"

export const gstacks = Command.make("gstacks").pipe(
  Command.withDescription("Sandboxes on many hosts reach one another by name, only where a rule allows it"),
  Command.withSubcommands([
    { group: "Networks and sandboxes", commands: [network, sandbox, mesh] },
    { group: "Hosts", commands: [agent, doctor, debug] },
    { group: "This command", commands: [login, logout, whoami, context] },
    { group: "Processes", commands: [control, devCluster] }
  ]),
  Command.withExamples([
    { command: "gstacks network create dev" },
    { command: "gstacks sandbox run backend -- python3 -m http.server 8080" },
    { command: "gstacks network attach dev backend --alias api --port 8080" },
    { command: "gstacks network policy allow dev --from sandbox:web --to api --port 8080" }
  ])
)
