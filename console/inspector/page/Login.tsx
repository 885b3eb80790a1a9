/** Asks for the token when there is none or it is refused. */
import { useId, useState } from "react"

export const Login = ({ onToken }: { readonly onToken: (token: string) => void }) => {
  const [token, setToken] = useState("")
  const id = useId()
  return (
    <form
      className="login" onSubmit={(event) => {
        event.preventDefault()
        if (token.trim() !== "") onToken(token.trim())
      }}
    >
      <label htmlFor={id}>Token</label>
      <input id={id} type="password" autoComplete="off" spellCheck={false} value={token} onChange={(event) => setToken(event.target.value)} aria-describedby={`${id}-hint`} />
      <button type="submit">Connect</button>
      <p id={`${id}-hint`} className="faint"><code>gstacks debug inspect</code> prints a link that has one. A recording opens without.</p>
    </form>
  )
}
