import { killing } from "./killAtEachState/killing.ts"
import { control } from "./killAtEachState/places.ts"

killing(control)
