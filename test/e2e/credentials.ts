/** Every credential that a cluster holds, read from where it keeps them: files of control plane, coordinator, agents and meshd. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"

/** Kinds by the form that they have in the files. What follows the name of its kind is the secret part. */
const forms = {
  token: /\bgs[a-z]_[\w-]{43}/g,
  privateKey: /(?<=\b[a-z]*priv[a-z]*:)[0-9a-f]{64}/g,
  coordinatorKey: /\bhskey-[a-z]+-[\w-]{20,}/g,
  logId: /(?<="PrivateID": ?")[0-9a-f]{64}/g
}

/** The mesh library keeps its state as JSON whose values are base64 of JSON. */
const unpacked = (text: string): string =>
  text + text.replace(/"([A-Za-z0-9+/]{24,}={0,2})"/g, (_, packed: string) => Buffer.from(packed, "base64").toString("latin1"))

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)).filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())

/** By kind; what only looks like one in a log or a page is none, so only state is read. */
export const credentialsIn = (folders: ReadonlyArray<string>): Readonly<Record<keyof typeof forms, ReadonlySet<string>>> => {
  const texts = folders.flatMap(filesBelow).flatMap((path) => {
    try {
      return [unpacked(readFileSync(path, "latin1"))]
    } catch {
      return [] // a temporary file that is gone
    }
  })
  const found = (form: RegExp) => new Set(texts.flatMap((text) => text.match(form) ?? []))
  return { token: found(forms.token), privateKey: found(forms.privateKey), coordinatorKey: found(forms.coordinatorKey), logId: found(forms.logId) }
}
