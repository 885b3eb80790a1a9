/**
 * A figure is what one row of the table says: what was measured, the samples of the product and of its rival, the aim.
 * Rows measured in the namespaces reach the printer as JSON, hence plain data.
 */
export type Aim =
  | { readonly kind: "ratio"; readonly op: ">=" | "<="; readonly limit: number }
  | { readonly kind: "value"; readonly op: "<"; readonly limit: number }

export const atLeast = (limit: number): Aim => ({ kind: "ratio", op: ">=", limit })
export const atMost = (limit: number): Aim => ({ kind: "ratio", op: "<=", limit })
export const below = (limit: number): Aim => ({ kind: "value", op: "<", limit })

export const product = "gstacks"

export interface Series {
  readonly name: string
  readonly samples: ReadonlyArray<number>
}

export interface Figure {
  readonly row: string
  readonly what: string
  readonly unit: string
  /** Which quantile of the samples counts; the median unless said otherwise. */
  readonly at?: number
  readonly ours: Series
  /** What the ratio is against. */
  readonly rival?: Series
  /** For orientation; no aim rests on these. */
  readonly references: ReadonlyArray<Series>
  readonly aim?: Aim
  /** How many processors others kept busy just before each sample. */
  readonly foreignLoad: ReadonlyArray<number>
}

const sorted = (samples: ReadonlyArray<number>): ReadonlyArray<number> => [...samples].sort((a, b) => a - b)

/** Nearest rank; NaN without samples. */
export const quantile = (samples: ReadonlyArray<number>, q: number): number =>
  sorted(samples)[Math.min(samples.length - 1, Math.max(0, Math.ceil(q * samples.length) - 1))] ?? Number.NaN

export const spread = (samples: ReadonlyArray<number>): readonly [number, number] => [Math.min(...samples), Math.max(...samples)]

/** The one number that stands for the samples. */
export const value = (f: Figure, s: Series): number => quantile(s.samples, f.at ?? 0.5)

/** Ratio of the medians; undefined without a rival, or when the product was not measured. */
export const ratio = (f: Figure): number | undefined =>
  f.rival === undefined || f.ours.samples.length === 0 ? undefined : value(f, f.ours) / value(f, f.rival)

export const verdict = (f: Figure): "pass" | "MISSED" | "" => {
  if (f.aim === undefined || f.ours.samples.length === 0) return ""
  const x = f.aim.kind === "ratio" ? ratio(f) ?? Number.NaN : value(f, f.ours)
  const met = f.aim.op === ">=" ? x >= f.aim.limit : f.aim.op === "<=" ? x <= f.aim.limit : x < f.aim.limit
  return met ? "pass" : "MISSED"
}
