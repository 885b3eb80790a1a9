/** Points and boxes of a drawing, in pixels. */

export interface Point { readonly x: number; readonly y: number }
export interface Size { readonly width: number; readonly height: number }
/** `x` and `y` are its middle. */
export interface Box extends Point, Size {}

export const move = <P extends Point>(by: Point) => (point: P): P => ({ ...point, x: point.x + by.x, y: point.y + by.y })

/** All text is monospaced, so its width is known without a browser. */
export const measures = { character: 6.65, line: 15, padding: 9, title: 24 }

export const textWidth = (texts: ReadonlyArray<string>): number => Math.max(0, ...texts.map((text) => text.length)) * measures.character + 2 * measures.padding
