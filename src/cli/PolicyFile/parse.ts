/**
 * A policy file's text, YAML or JSON: its rules, or all that is wrong, each with line and column. Every scalar is the text that stands there,
 * so that nobody has to know what YAML makes of `8080` or `no`. Anchors are refused: a file
 * that uses them means more than it shows, and may grow without bound.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { type Document, isNode, LineCounter, type Node, parseDocument, visit } from "yaml"
import { PolicyFile, strictly } from "../../domain/PolicyFile.ts"

export type Path = ReadonlyArray<string | number>
/** Lines and columns count from 1. */
export interface Place { readonly line: number; readonly column: number }
export interface Wrong extends Place { readonly message: string }

export interface Parsed {
  readonly policy: PolicyFile
  /** Where a part of it stands, or the nearest that is there. */
  readonly placeOf: (path: Path) => Place
}

const decode = Schema.decodeUnknownResult(PolicyFile, strictly)
const keys = "a file has network and rules; a rule from, to, ports, expiresAt and comment"
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    switch (issue._tag) {
      case "MissingKey": return `is missing; ${keys}`
      case "UnexpectedKey": return `is no key that is known here; ${keys}`
      default: return SchemaIssue.defaultLeafHook(issue)
    }
  }
})
const keyOf = (part: PropertyKey | { readonly key: PropertyKey }): string | number => {
  const key = typeof part === "object" ? part.key : part
  return typeof key === "number" ? key : String(key)
}

const placesIn = (document: Document, lines: LineCounter) => {
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const placeOf = (path: Path): Place => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return at(node.range[0])
    }
    return at(document.contents?.range?.[0] ?? 0)
  }
  return { at, placeOf }
}

const byPlace = (a: Place, b: Place): number => a.line - b.line || a.column - b.column

/** The parser's messages end with a place of their own. */
const firstLine = (message: string): string => message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, "")

export const parsePolicy = (text: string): Result.Result<Parsed, ReadonlyArray<Wrong>> => {
  const lines = new LineCounter()
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false })
  const { at, placeOf } = placesIn(document, lines)
  const wrong = [...document.errors, ...document.warnings].map(({ message, pos }): Wrong => ({ ...at(pos[0]), message: firstLine(message) }))
  const refuse = (_: unknown, node: Node): void => {
    wrong.push({ ...at(node.range?.[0] ?? 0), message: "anchors and aliases (& and *) are not allowed; write it out" })
  }
  visit(document, { Alias: refuse, Value: (key, node) => node.anchor === undefined ? undefined : refuse(key, node) })
  if (wrong.length > 0) return Result.fail(wrong.sort(byPlace))
  const decoded = decode(document.toJS())
  if (Result.isSuccess(decoded)) return Result.succeed({ policy: decoded.success, placeOf })
  return Result.fail(issuesOf(decoded.failure.issue).issues.map(({ path = [], message }) => {
    const parts = path.map(keyOf)
    return { ...placeOf(parts), message: parts.length === 0 ? message : `${parts.at(-1)}: ${message}` }
  }).sort(byPlace))
}
