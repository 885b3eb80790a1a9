/** The control plane's services, composed once for `main.ts` and for tests that run one in process. */
import { Layer } from "effect"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import { Addresses } from "./Addresses.ts"
import { AgentSessions } from "./AgentGateway/AgentSessions.ts"
import { Agents } from "./Agents.ts"
import { Aliases } from "./Aliases.ts"
import { Attachments } from "./Attachments.ts"
import { Audit } from "./Audit.ts"
import { Changes } from "./Changes.ts"
import type { Config } from "./Config.ts"
import { Diagnostics } from "./Diagnostics.ts"
import * as Managed from "./Headscale/Managed.ts"
import { Lookups } from "./Lookups.ts"
import { Mesh } from "./Mesh.ts"
import { MeshKeys } from "./MeshKeys.ts"
import { MeshNodes } from "./MeshNodes.ts"
import { MeshPolicy } from "./MeshPolicy.ts"
import { NetworkDetails } from "./NetworkDetails.ts"
import { Networks } from "./Networks.ts"
import { News } from "./News.ts"
import { Participants } from "./Participants.ts"
import { Receipts } from "./Receipts.ts"
import { Rollouts } from "./Rollouts.ts"
import { Rules } from "./Rules.ts"
import { Sandboxes } from "./Sandboxes.ts"
import { Sessions } from "./Sessions.ts"
import { Snapshots } from "./Snapshots.ts"
import * as Database from "./sql/Database.ts"
import { Tokens } from "./Tokens.ts"
import { Topologies } from "./Topologies.ts"
import { Tree } from "./Tree.ts"

/** Each line may use what stands below it. */
export const layer = (config: Pick<Config, "database" | "mesh" | "stateDir">) => Layer.mergeAll(Managed.layer(config), Rollouts.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(AgentSessions.layer, MeshKeys.layer)),
  Layer.provideMerge(Layer.mergeAll(Diagnostics.layer, NetworkDetails.layer, Receipts.layer, Agents.layer, MeshNodes.layer)),
  Layer.provideMerge(Layer.mergeAll(Networks.layer, Sandboxes.layer, Rules.layer, MeshPolicy.layer, Snapshots.layer)),
  Layer.provideMerge(Attachments.layer),
  Layer.provideMerge(Aliases.layer),
  Layer.provideMerge(Layer.mergeAll(Changes.layer, Addresses.layer, Tokens.layer, Topologies.layer)),
  Layer.provideMerge(Layer.mergeAll(Lookups.layer, Participants.layer, Audit.layer, News.layer(config.database), Sessions.layer, Mesh.layer(config.mesh))),
  Layer.provideMerge(Tree.layer),
  Layer.provideMerge(Layer.mergeAll(ActorSystem.layer, Database.layer(config.database)))
)
