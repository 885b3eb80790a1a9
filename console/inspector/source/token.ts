/** The token that opens the server's data. It comes in the address's fragment, which never leaves the browser, and is kept for this tab alone. */

const key = "gstacks-inspector-token"

/** Takes it out of the address at once, so that it is in no history, bookmark or screenshot. */
export const takeToken = (): string | undefined => {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? undefined
  if (token !== undefined) {
    history.replaceState(null, "", location.pathname + location.search)
    sessionStorage.setItem(key, token)
  }
  return token ?? sessionStorage.getItem(key) ?? undefined
}

export const keepToken = (token: string): void => sessionStorage.setItem(key, token)
export const forgetToken = (): void => sessionStorage.removeItem(key)
