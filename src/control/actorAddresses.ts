/** The addresses of the control plane's supervisors, below which actors are added while it runs. */
export const root = "control"
export const meshAddress = `${root}/mesh`
export const rolloutsAddress = `${root}/networks`
export const sessionsAddress = `${root}/agents`
export const diagnosticsAddress = `${root}/diagnostics`
