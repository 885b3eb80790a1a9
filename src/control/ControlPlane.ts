/** The control plane's services, composed once for `main.ts` and for tests that run one in process. */
import { Layer } from "effect"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import { Sight } from "../actors/sight/Sight.ts"
import { Addresses } from "./Addresses.ts"
import { AgentSessions } from "./AgentGateway/AgentSessions.ts"
import { Agents } from "./Agents.ts"
import { Aliases } from "./Aliases.ts"
import { Attachments } from "./Attachments.ts"
import { Audit } from "./Audit.ts"
import { Changes } from "./Changes.ts"
import { ClosedStreams } from "./ClosedStreams.ts"
import type { Config } from "./Config.ts"
import { Debug } from "./Debug.ts"
import { Diagnostics } from "./Diagnostics.ts"
import { Expiry } from "./Expiry.ts"
import * as Managed from "./Headscale/Managed.ts"
import { LocalNodeExpiry } from "./LocalNodes/Expiry.ts"
import { Questions } from "./LocalNodes/Questions.ts"
import { LocalNodes } from "./LocalNodes.ts"
import { Limits } from "./Limits.ts"
import { Lookups } from "./Lookups.ts"
import { Mesh } from "./Mesh.ts"
import { MeshKeys } from "./MeshKeys.ts"
import { MeshNodes } from "./MeshNodes.ts"
import { MeshPolicy } from "./MeshPolicy.ts"
import { NetworkDetails } from "./NetworkDetails.ts"
import { NetworkFlows } from "./NetworkFlows.ts"
import { Networks } from "./Networks.ts"
import { News } from "./News.ts"
import { Owners } from "./Owners.ts"
import { Participants } from "./Participants.ts"
import { Reachability } from "./Reachability.ts"
import { Receipts } from "./Receipts.ts"
import { Refusals } from "./Refusals.ts"
import { Rollouts } from "./Rollouts.ts"
import { Publications } from "./Publications.ts"
import { Publishers } from "./Publishers.ts"
import { Policies } from "./Policies.ts"
import { Previews } from "./Previews.ts"
import { Rules } from "./Rules.ts"
import { RuleStore } from "./Rules/RuleStore.ts"
import { Sandboxes } from "./Sandboxes.ts"
import { Sessions } from "./Sessions.ts"
import { Snapshots } from "./Snapshots.ts"
import * as Database from "./sql/Database.ts"
import { Tokens } from "./Tokens.ts"
import { Topologies } from "./Topologies.ts"
import { Traces } from "./Traces.ts"
import { Tree } from "./Tree.ts"

/** Each line may use what stands below it. */
export const layer = (config: Pick<Config, "database" | "mesh" | "stateDir">) => Layer.mergeAll(Managed.layer(config), Rollouts.layer, Expiry.layer, LocalNodeExpiry.layer, Debug.layer(config.database)).pipe(
  Layer.provideMerge(Layer.mergeAll(AgentSessions.layer, MeshKeys.layer, Previews.layer)),
  Layer.provideMerge(Layer.mergeAll(Diagnostics.layer, Traces.layer, NetworkDetails.layer, NetworkFlows.layer, Reachability.layer, Receipts.layer, Agents.layer)),
  Layer.provideMerge(Publications.layer),
  Layer.provideMerge(LocalNodes.layer),
  Layer.provideMerge(MeshNodes.layer),
  Layer.provideMerge(Layer.mergeAll(Networks.layer, Sandboxes.layer, Rules.layer, Limits.layer, Publishers.layer, MeshPolicy.layer, Snapshots.layer)),
  Layer.provideMerge(Layer.mergeAll(Attachments.layer, Policies.layer)),
  Layer.provideMerge(Aliases.layer),
  Layer.provideMerge(Layer.mergeAll(Changes.layer, ClosedStreams.layer, Addresses.layer, Tokens.layer, Topologies.layer, RuleStore.layer)),
  Layer.provideMerge(Layer.mergeAll(Lookups.layer, Participants.layer, Audit.layer, News.layer(config.database), Sessions.layer, Refusals.layer, Owners.layer, Questions.layer, Mesh.layer(config.mesh))),
  Layer.provideMerge(Layer.mergeAll(Tree.layer, Sight.layer)),
  Layer.provideMerge(Layer.mergeAll(ActorSystem.layer, Database.layer(config.database)))
)
