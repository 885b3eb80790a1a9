/** What can break between two hosts, each planted alone: the diagnosis begins at the right check, on the right host, with a right next step. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { MeshdRefused, MeshdUnavailable } from "../../../src/agent/dataplane/MeshdClient.ts"
import type { Listening } from "../../../src/agent/diagnostics/listening.ts"
import { type CheckName, checkNames, type CheckResult, firstTrouble } from "../../../src/domain/Diagnostic.ts"
import { AgentName } from "../../../src/domain/DnsLabel.ts"
import type { NodeStatus, ProbeResult } from "../../../src/protocol/meshd/Messages.ts"
import { type BrokenStep, lostMeanwhile, node, nothing, own, probeWith, run, type Situation } from "./situation.ts"

interface Fault {
  readonly planted: string
  readonly situation: Situation
  readonly check: CheckName
  /** Where the trouble is, when it is not the host that looks. */
  readonly host?: string
  readonly outcome?: "fail" | "warn"
  readonly reason: RegExp
  readonly next: RegExp
}

const answering = (result: ProbeResult) => ({ probe: () => Effect.succeed(result), connect: () => Effect.succeed({ micros: 5 }) })
const [peer] = node().peers as [NodeStatus["peers"][number]]
const broken = (...steps: ReadonlyArray<BrokenStep>): Situation => ({ meshd: answering(probeWith(...steps)) })
const joinFails = (error: string): Situation => ({ node: node({ state: "starting" }), signs: { join: () => Effect.succeed({ state: "member.failed", error }) } })
/** The same host has the target, whose program is what is looked at. */
const app = (code: string, message: string, listening: ReadonlyArray<Listening> = []): Situation => ({
  alias: own, request: { role: "target", port: 81 }, signs: { listening: () => listening },
  meshd: { connect: () => Effect.fail(new MeshdRefused({ method: "connect", code, message })) }
})

const faults: ReadonlyArray<Fault> = [
  { planted: "meshd down", situation: { meshd: "away" }, check: "mesh", reason: /meshd does not answer on this host/, next: /systemctl start gstacks-meshd/ },
  { planted: "meshd hangs", situation: { meshd: { ...answering(probeWith()), status: Effect.never } }, check: "mesh", reason: /meshd runs on this host, but does not answer/, next: /systemctl restart gstacks-meshd/ },
  { planted: "meshd ends while it looks at the program", situation: { ...app("", ""), meshd: { connect: () => Effect.fail(new MeshdUnavailable({ message: "the connection ended" })) } }, check: "route", reason: /meshd does not answer on this host/, next: /systemctl start gstacks-meshd/ },
  { planted: "the other host's meshd down", situation: { ...broken(["dial", "no answer"]), node: node({ peers: [{ ...peer, online: false, ready: false, path: "none" }] }) }, check: "mesh", host: "host-1", reason: /host-1 is offline in the mesh/, next: /gstacks agent show host-1/ },
  { planted: "Headscale down while a host joins", situation: joinFails("The mesh coordinator is not running at the moment."), check: "mesh", reason: /coordinator \(Headscale\) is down/, next: /managedHeadscale/ },
  { planted: "this host's node expired", situation: { node: node({ state: "failed", error: "the control server does not know this node; join with an auth key" }) }, check: "mesh", reason: /expired or was deleted/, next: /headscale nodes list/ },
  { planted: "the other host's node expired", situation: { node: node({ peers: [] }) }, check: "mesh", host: "host-1", reason: /may have expired or been deleted/, next: /restart meshd on host-1/ },
  { planted: "key refused", situation: joinFails("join_failed: invalid key: unable to validate API key"), check: "mesh", reason: /refused this host's key/, next: /GLOBALSTACKS_MESH_AUTH_KEY/ },
  { planted: "wrong APP_HOST", situation: joinFails("the node did not come up in time; is the control server reachable?"), check: "mesh", reason: /coordinator does not answer this host/, next: /APP_HOST.*http:\/\/control:8085\/health/ },
  { planted: "wrong APP_HOST, and the join still waits", situation: { node: node({ state: "starting" }), signs: { silenceOf: (url) => Effect.succeed(`${url}: connect ECONNREFUSED`) } }, check: "mesh", reason: /coordinator does not answer this host: http:\/\/control:8085: connect ECONNREFUSED/, next: /APP_HOST.*http:\/\/control:8085\/health/ },
  { planted: "Headscale down, and both ends are on one host", situation: { ...joinFails("The mesh coordinator is not running at the moment."), alias: own, request: { port: 81 } }, check: "mesh", outcome: "warn", reason: /both ends are on this host, which works without/, next: /managedHeadscale/ },
  { planted: "UDP blocked", situation: { meshd: answering({ ...probeWith(), peer: { ...peer, path: "relay", relay: "home" } }) }, check: "route", host: "host-1", outcome: "warn", reason: /through relay home/, next: /let UDP pass/ },
  { planted: "30 % loss", situation: { meshd: answering({ ...probeWith(), pings: { sent: 20, received: 14, medianMicros: 900 } }) }, check: "route", host: "host-1", outcome: "warn", reason: /6 of 20 packets/, next: /ping -c 100/ },
  { planted: "30 % loss, which took the full-size packets too", situation: { meshd: answering({ ...probeWith(["fullSize", "no answer to full-size packets"]), pings: { sent: 20, received: 14, medianMicros: 900 } }) }, check: "route", host: "host-1", outcome: "warn", reason: /6 of 20 packets/, next: /ping -c 100/ },
  { planted: "a mesh that breaks while full-size packets are tried", situation: { meshd: answering(lostMeanwhile) }, check: "route", host: "host-1", reason: /mesh does not carry a stream to host-1/, next: /whether UDP passes/ },
  { planted: "MTU black hole", situation: broken(["fullSize", "no answer to full-size packets"]), check: "route", reason: /MTU black hole/, next: /ping -M do/ },
  { planted: "half-open mesh", situation: broken(["dial", "the peer does not answer: context deadline exceeded"]), check: "route", host: "host-1", reason: /mesh does not carry a stream to host-1/, next: /restart meshd on host-1/ },
  { planted: "agent stuck on an old version", situation: { applied: 6 }, check: "topology", reason: /version 6 is in force, 7 is wanted: meshd is at it/, next: /meshd's log/ },
  { planted: "alias moved, and this agent has not heard of it", situation: { request: { version: 8 } }, check: "topology", reason: /7 is in force, 8 is wanted, and has not arrived/, next: /agent\/link/ },
  { planted: "the other agent stuck on an old version", situation: broken(["verdict", "behind: topology version 7 is not applied here yet"]), check: "route", host: "host-1", reason: /host-1 has not applied topology version 7/, next: /gstacks agent show host-1/ },
  { planted: "out of touch for too long", situation: { stale: true }, check: "topology", reason: /out of touch/, next: /bring the control plane back/ },
  { planted: "DNS port taken", situation: { signs: { dnsListener: Effect.succeed({ state: "rebinding", error: "cannot serve DNS at 127.0.0.1:1053 (bind EADDRINUSE)" }) } }, check: "dns", outcome: "warn", reason: /EADDRINUSE/, next: /GLOBALSTACKS_AGENT_MESH_DNS_ADDR/ },
  { planted: "resolv.conf not ours", situation: { signs: { resolver: () => ({ servers: ["8.8.8.8"], mounted: "/srv/resolv.conf" }) } }, check: "dns", reason: /\/srv\/resolv\.conf lies over it/, next: /without a --bind over.*sandbox run box0 --replace/ },
  { planted: "sandbox started before the agent owned its DNS", situation: { signs: { resolver: () => ({ servers: ["10.0.0.1"], mounted: undefined }) } }, check: "dns", reason: /started before this agent served its names/, next: /sandbox run box0 --replace/ },
  { planted: "sandbox stopped", situation: { running: false }, check: "dns", reason: /sandbox box0 is stopped/, next: /gstacks sandbox show box0/ },
  { planted: "meshd may not enter the sandbox", situation: { served: { ok: false, error: "operation not permitted" } }, check: "dns", reason: /cannot serve the sandbox: operation not permitted/, next: /meshd's log/ },
  { planted: "the sandbox flushed its own nft rules", situation: broken(["enter", "connection refused"]), check: "route", reason: /does not come out at meshd/, next: /changed its own nft rules/ },
  { planted: "app not listening", situation: app("refused", "connection refused"), check: "route", reason: /nothing accepts connections on port 81/, next: /listening on 127\.0\.0\.1:81/ },
  { planted: "app on another port", situation: app("refused", "connection refused", [{ address: "127.0.0.1", port: 3000, waiting: 0 }]), check: "route", reason: /but on 127\.0\.0\.1:3000/, next: /alias add dev box0 app1 --port 3000/ },
  { planted: "app on another address", situation: app("refused", "connection refused", [{ address: "0.0.0.0", port: 9000, waiting: 0 }, { address: "127.0.0.2", port: 81, waiting: 0 }]), check: "route", reason: /another address than 127\.0\.0\.1: 127\.0\.0\.2:81$/, next: /0\.0\.0\.0:81/ },
  { planted: "app slow to accept", situation: app("timeout", "connect: i/o timeout"), check: "route", reason: /does not accept connections in time/, next: /sandbox logs box0/ },
  { planted: "app lets connections wait", situation: { ...app("", ""), meshd: answering(probeWith()), signs: { listening: () => [{ address: "0.0.0.0", port: 81, waiting: 40 }] } }, check: "route", outcome: "warn", reason: /40 connections wait/, next: /slow or hangs/ },
  { planted: "no descriptors left on the other host", situation: broken(["verdict", "limit: out of descriptors"]), check: "route", host: "host-1", reason: /no descriptors left/, next: /LimitNOFILE/ },
  { planted: "no descriptors left for a question", situation: broken(["resolve", "dial udp4 127.64.0.53:53: socket: too many open files"]), check: "route", reason: /meshd on this host has no descriptors left/, next: /LimitNOFILE/ },
  { planted: "meshd's descriptors used up", situation: { meshd: { ...answering(probeWith()), status: Effect.succeed({ ...nothing, descriptors: { open: 1020, limit: 1024 } }) } }, check: "mesh", reason: /1020 are open, the limit is 1024/, next: /LimitNOFILE/ },
  { planted: "sandbox stopped, as the other host's meshd tells", situation: broken(["connect", "no such sandbox is loaded"]), check: "route", host: "host-1", reason: /sandbox box1, behind app0:80, does not run/, next: /gstacks sandbox show box1/ },
  { planted: "no descriptors left here", situation: app("failed", "socket: too many open files"), check: "route", reason: /no descriptors left/, next: /LimitNOFILE/ },
  { planted: "policy lacking", situation: { ...broken(["enter", "connection refused"], ["permit", "none"], ["verdict", "denied: none"]), request: { port: 82 } }, check: "policy", reason: /no rule of version 7 lets/, next: /policy allow dev --from sandbox:box0 --to app0 --port 82/ },
  { planted: "rule expired", situation: { ...broken(["enter", "connection refused"], ["permit", "none"], ["verdict", "denied: none"]), rulesEndAt: 1000 }, check: "policy", reason: /ended at 1970-01-01T00:00:01\.000Z/, next: /policy allow .* --for 2h/ }
]

/** All five checks, as the control plane gathers them from one agent. */
const diagnose = (situation: Situation) => Effect.map(
  Effect.forEach(checkNames, (check) => Effect.map(run(check, { meshd: answering(probeWith()), ...situation }), (finding): CheckResult => ({ check, agent: AgentName.make("host-0"), micros: null, ...finding }))),
  firstTrouble)

describe("planted faults", () => {
  it.effect("none: no trouble", () => Effect.gen(function*() {
    assert.isNull(yield* diagnose({}))
  }))

  it.effect.each(faults.map((fault) => [fault.planted, fault] as const))("%s", ([, { situation, check, host, outcome = "fail", reason, next }]) => Effect.gen(function*() {
    yield* TestClock.adjust("1 minute")
    const looking = yield* Effect.forkChild(diagnose(situation))
    yield* TestClock.adjust("1 minute") // whoever does not answer is waited for
    const trouble = yield* Fiber.join(looking)
    assert.deepStrictEqual([trouble?.check, trouble?.outcome, trouble?.host], [check, outcome, host])
    assert.match(trouble!.reason, reason)
    assert.match(trouble!.next!, next)
  }))
})
