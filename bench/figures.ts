/**
 * A figure is what one row of the table says: what was measured, the samples of the product and of its rival, the aim.
 * Rows measured in the namespaces reach the printer as JSON, hence plain data.
 */
export type Aim =
  | { readonly kind: "ratio"; readonly op: ">=" | "<="; readonly limit: number }
  | { readonly kind: "value"; readonly op: "<"; readonly limit: number }

export interface Series {
  readonly name: string
  readonly samples: ReadonlyArray<number>
}

export interface Figure {
  readonly row: string
  readonly what: string
  readonly unit: string
  readonly ours: Series
  /** What the ratio is against. */
  readonly rival?: Series
  /** For orientation; no aim rests on these. */
  readonly references: ReadonlyArray<Series>
  readonly aim?: Aim
  /** How many processors others kept busy just before a sample, at worst. */
  readonly foreignLoad: number
}

const sorted = (samples: ReadonlyArray<number>): ReadonlyArray<number> => [...samples].sort((a, b) => a - b)

export const median = (samples: ReadonlyArray<number>): number => quantile(samples, 0.5)

/** Nearest rank; NaN without samples. */
export const quantile = (samples: ReadonlyArray<number>, q: number): number =>
  sorted(samples)[Math.min(samples.length - 1, Math.max(0, Math.ceil(q * samples.length) - 1))] ?? Number.NaN

export const spread = (samples: ReadonlyArray<number>): readonly [number, number] => [Math.min(...samples), Math.max(...samples)]

/** Ratio of the medians; undefined without a rival, or when the product was not measured. */
export const ratio = (f: Figure): number | undefined =>
  f.rival === undefined || f.ours.samples.length === 0 ? undefined : median(f.ours.samples) / median(f.rival.samples)

export const verdict = (f: Figure): "pass" | "MISSED" | "" => {
  if (f.aim === undefined || f.ours.samples.length === 0) return ""
  const value = f.aim.kind === "ratio" ? ratio(f) ?? Number.NaN : median(f.ours.samples)
  const met = f.aim.op === ">=" ? value >= f.aim.limit : f.aim.op === "<=" ? value <= f.aim.limit : value < f.aim.limit
  return met ? "pass" : "MISSED"
}
