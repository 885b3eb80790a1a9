/** The addresses of the actors of a user's background process. */
export const root = "local"
export const meshd = `${root}/meshd`
export const joins = `${root}/joins`
export const join = (network: string): string => `${joins}/${network}`
export const publications = `${root}/publications`
export const publication = (id: string): string => `${publications}/${id}`
export const forwards = `${root}/forwards`
export const commands = `${root}/commands`
export const command = (id: string): string => `${commands}/${id}`
export const forward = (id: string): string => `${forwards}/${id}`
