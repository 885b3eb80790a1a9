import { assert, it } from "@effect/vitest"
import { killing } from "./killAtEachState/killing.ts"
import { developer } from "./killAtEachState/places.ts"
import { storedNotAsSaid } from "./killAtEachState/stored.ts"

killing(developer, (ground) => {
  it("and what is stored is what the machines say survives them", async () => {
    await ground().developer.again()
    assert.deepStrictEqual(await storedNotAsSaid(ground().stateDirs), [])
  }, 120_000)
})
