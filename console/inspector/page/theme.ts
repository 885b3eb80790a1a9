/** Light, dark, or as the system says. The style sheet does the rest. */
import { useEffect, useState } from "react"

export type Theme = "system" | "light" | "dark"
const key = "gstacks-inspector-theme"
const stored = (): Theme => {
  const value = localStorage.getItem(key)
  return value === "light" || value === "dark" ? value : "system"
}

export const applyTheme = (theme: Theme = stored()): void => {
  if (theme === "system") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme
}

export const useTheme = (): readonly [Theme, (theme: Theme) => void] => {
  const [theme, setTheme] = useState(stored)
  useEffect(() => {
    localStorage.setItem(key, theme)
    applyTheme(theme)
  }, [theme])
  return [theme, setTheme]
}
