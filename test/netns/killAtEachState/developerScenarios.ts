/**
 * A developer's background process, which joins `desk`, forwards its alias `api` of host-2, lets commands see the network and publishes
 * a port, and the meshd that it runs for itself.
 */
import type { Fixture } from "../../e2e/fixture.ts"
import { type Ground, laptop, type Victim, victimOf } from "./Ground.ts"
import { port } from "./Developer.ts"
import type { Scenario, Tools } from "./Scenario.ts"

const process = laptop
const meshd: Victim = { role: "meshd", host: laptop }

const allow = (fixture: Fixture) => fixture.allow("desk", "local:ann", "api", 8080)
export const prepareLaptop = async ({ fixture }: Ground): Promise<void> => {
  await fixture.network("desk")
  await fixture.attach("desk", "backend", "api", [8080])
  await allow(fixture)
  await fixture.change("PUT", "/networks/desk/publishers/ann")
}
export const clearLaptop = async ({ developer, fixture }: Ground): Promise<void> => {
  await developer.again()
  await developer.leave()
  await fixture.api("DELETE", "/networks/desk?cascade=true")
}

const types = (line: string) => ({ ground }: Tools) => ground.developer.gstacks(line)
const killsMeshd = async ({ kill }: Tools) => kill("meshd", laptop)
const again = ({ ground }: Tools) => ground.developer.again()
const wasKilled = ({ killed }: Tools): boolean => killed.some(({ role }) => role === victimOf(process).role)

/** Nothing is left of a process that was killed, and the user begins anew; one that lives on comes back to what it had, with nothing typed. */
const comesBack = async (tools: Tools) => {
  if (!wasKilled(tools)) return
  await tools.ground.developer.leftNothing()
  await again(tools)
}
const scenario = (machine: string, provoke: Scenario["provoke"], more: Partial<Scenario> = {}) => (state: string): Scenario =>
  ({ state: `${machine}.${state}`, process, prepare: again, provoke, after: comesBack, ...more })

/** The command that joins starts another process when the one that it asks is killed. */
const joins = scenario("localJoin", ({ ground }) => ground.developer.join(), {
  prepare: async ({ ground: { developer } }) => {
    if (developer.pid("local") !== undefined) developer.kill("local")
    await developer.leftNothing()
  },
  after: again
})
/** What the user has ended does not come back by itself. */
const ends = (machine: string, provoke: Scenario["provoke"]) => scenario(machine, provoke, {
  after: async (tools) => {
    await comesBack(tools)
    await again(tools)
  }
})

const degraded = (more: Partial<Scenario> = {}) => scenario("localJoin", async ({ kill }) => kill("control"), more)("member.degraded")

const revokesRule = async ({ ground: { fixture } }: Tools) => {
  const { rules } = (await fixture.api("GET", "/networks/desk")).body
  await fixture.revoke("desk", rules[0].id)
}
const revokesJoin = async ({ ground: { fixture } }: Tools) => {
  const { localNodes } = (await fixture.api("GET", "/networks/desk")).body
  await fixture.api("DELETE", `/networks/desk/local-nodes/${localNodes[0].id}`)
}
const closesForward = async ({ ground: { developer } }: Tools) => {
  const { forwards } = (await developer.status())!
  await developer.gstacks(`mesh close ${forwards.find(({ listen }) => listen.endsWith(`:${port}`))!.id}`)
}

const publishing = "mesh publish desk desktop --local 3000"
const unpublishing = "mesh unpublish desk desktop"
/** Whatever became of it, the alias can be published again, and withdrawn. */
const publishes = (line: string, more: Partial<Scenario> = {}) => scenario("publication", types(line), {
  after: async (tools) => {
    await comesBack(tools)
    for (const each of [publishing, unpublishing]) await tools.ground.developer.does(each)
  },
  ...more
})

/** While meshd is started again, another program takes the forward's port. */
const losesPort = async ({ ground, kill }: Tools) => {
  await ground.developer.again()
  ground.arm(process, "forward.away")
  kill("meshd", laptop)
  await ground.stopped(process, "forward.away")
  await ground.developer.occupyPort()
}

const states: ReadonlyArray<Scenario> = [
  ...["requesting", "entering", "publishing", "member.joined"].map(joins),
  degraded(), degraded({ kill: [] }),
  scenario("localJoin", killsMeshd)("waiting"),
  ends("localJoin", revokesJoin)("revoked"),
  ...["leaving", "left"].map(ends("localJoin", types("mesh leave desk"))),
  ...["denied", "opening", "listening"].map(scenario("forward", types("mesh forward desk api:8080 --local 0 --background"))),
  scenario("forward", types(`mesh forward desk api:8080 --local ${port} --background`))("refused"),
  scenario("forward", killsMeshd)("away"),
  scenario("forward", revokesRule, {
    after: async (tools) => {
      await allow(tools.ground.fixture)
      await comesBack(tools)
    }
  })("closing"),
  scenario("forward", async ({ ground }) => ground.thaw(process), {
    prepare: losesPort,
    after: async (tools) => {
      await tools.ground.developer.freePort()
      await comesBack(tools)
    }
  })("pausing"),
  ...["ending", "closed"].map(ends("forward", closesForward)),
  ...["entering", "inside", "leaving", "left"].map(scenario("localCommand", ({ ground }) => ground.developer.exec(), {
    after: async (tools) => {
      await comesBack(tools)
      await tools.ground.developer.execWorks()
    }
  })),
  scenario("localCommand", killsMeshd, {
    prepare: async ({ ground: { developer } }) => {
      await developer.again()
      await developer.stays()
    },
    after: async (tools) => {
      await comesBack(tools)
      if (!wasKilled(tools)) await tools.ground.developer.isInside()
      await tools.ground.developer.end()
    }
  })("outside"),
  ...["requesting", "announcing", "published"].map(publishes(publishing)),
  publishes("mesh publish desk api --local 3000")("refused"), // the alias is a sandbox's
  ...["withdrawing", "ended", "forgotten"].map(publishes(unpublishing, {
    prepare: async ({ ground: { developer } }) => {
      await developer.again()
      await developer.does(publishing)
    }
  }))
]

/** Where much depends on meshd; `npm run kill-all` kills it in all states. */
const withMeshd = new Set(["localJoin.publishing", "localJoin.member.joined", "localJoin.leaving", "forward.opening"])

export const onLaptop: ReadonlyArray<Scenario> = states.flatMap((each) => withMeshd.has(each.state) ? [each, { ...each, kill: [meshd] }] : [each])
