/** Every migration, in order. Append only: a migration that has been released is never edited, and a new one takes the next number. */
import { init } from "./0001_init.ts"

export const migrations = {
  "0001_init": init
}
