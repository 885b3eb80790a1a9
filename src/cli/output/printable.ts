/** Text from elsewhere on a terminal: control characters are shown, never obeyed. */

const escape = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`

/** Without line breaks. */
export const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, escape)

/** With line breaks. */
export const printableLines = (text: string): string => text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, escape)
