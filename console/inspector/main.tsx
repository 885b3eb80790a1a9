/** Starts the page: a token in the address or this tab connects to the server that the page came from; from a file there is none. */
import { createRoot } from "react-dom/client"
import { App } from "./page/App.tsx"
import { makeStore } from "./page/Store.ts"
import { applyTheme } from "./page/theme.ts"
import { takeToken } from "./source/token.ts"

applyTheme()
const store = makeStore()
if (location.protocol !== "file:") {
  store.connect(takeToken())
  addEventListener("hashchange", () => { if (location.hash.startsWith("#token=")) store.connect(takeToken()) })
}
createRoot(document.getElementById("root")!).render(<App store={store} />)
