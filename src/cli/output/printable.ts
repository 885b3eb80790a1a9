/** Text from elsewhere on a terminal: control characters are shown, never obeyed. */

const escape = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`

/** Without line breaks. */
export const printable = (text: string): string => text.replace(/\p{Cc}/gu, escape)

/** With line breaks. */
export const printableLines = (text: string): string => text.replace(/(?!\n)\p{Cc}/gu, escape)
