import { describe, it } from "@effect/vitest"
import { Result } from "effect"
import { publicationMachine } from "../../../src/actors/machines/publication.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const [request, withdraw] = ["requesting", "withdrawing"].map((state) => `0.publication.${state}`) as [string, string]

describe("publication", () => {
  it("reaches every state and transition", () => {
    assertAllReached(publicationMachine, {
      input: { id: "dev/laptop-api" },
      key: ({ context }) => context.sighting,
      events: [
        ...(["coming", "there", "gone"] as const).map((sighting) => ({ type: "topology.seen", sighting })),
        { type: "prolonged", until: { expiresAt: "2026-01-01T00:00:00.000Z", leftMs: 1000 } }, { type: "stop" },
        done(request, Result.succeed({ expiresAt: "2026-01-01T00:00:00.000Z", leftMs: 1000 })),
        done(request, Result.fail({ code: "publishing-not-allowed", reason: "no publisher", next: "ask" })),
        done(withdraw, Result.succeed(undefined))
      ]
    })
  })
})
