/** Makes dist/pgdata, an empty database that every new control plane starts from. */
import { rm } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { makeDataDirectory } from "../src/control/sql/pgdata.ts"

const directory = fileURLToPath(new URL("../dist/pgdata", import.meta.url))
await rm(directory, { recursive: true, force: true })
await makeDataDirectory(directory)
