import { killing } from "./killAtEachState/killing.ts"
import { agents } from "./killAtEachState/places.ts"

killing(agents)
