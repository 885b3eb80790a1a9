/** JSON values as YAML: block style, strings quoted as in JSON wherever a plain one could be read as something else. */

const plain = /^[A-Za-z_/][A-Za-z0-9_./@-]*$/
const special = /^(true|false|null|yes|no|on|off|y|n)$/i

const scalar = (value: unknown): string =>
  typeof value === "string" && plain.test(value) && !special.test(value) ? value : JSON.stringify(value)

const isEmpty = (value: object): boolean => Object.keys(value).length === 0

const lines = (value: unknown, indent: string): string => {
  if (typeof value !== "object" || value === null) return `${scalar(value)}\n`
  if (isEmpty(value)) return Array.isArray(value) ? "[]\n" : "{}\n"
  if (Array.isArray(value)) return value.map((item) => `${indent}- ${lines(item, `${indent}  `).trimStart()}`).join("")
  return Object.entries(value).filter(([, member]) => member !== undefined).map(([key, member]) =>
    typeof member === "object" && member !== null && !isEmpty(member)
      ? `${indent}${scalar(key)}:\n${lines(member, `${indent}  `)}`
      : `${indent}${scalar(key)}: ${lines(member, indent)}`
  ).join("")
}

export const yaml = (value: unknown): string => lines(value, "")
