/** What the process's exit code tells a script. Numbers are a promise: never give one a second meaning. */
export const ExitCode = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  unavailable: 4,
  outcomeUnknown: 5,
  unauthorized: 6,
  interrupted: 130
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

export const summary =
  "0 ok · 1 error · 2 usage · 3 not found · 4 unavailable · 5 outcome unknown · 6 not authorized · 130 interrupted"

export const explanation = `EXIT CODES
    0  ok
    1  error: something failed while running; standard error says what
    2  usage: the command line or an environment variable is wrong; nothing was done
    3  not found: the key does not exist; del: nothing was deleted
    4  unavailable: no endpoint in reach, or no majority of the cluster; nothing was done
    5  timeout: no answer in time; a write may or may not have been applied
    6  not authorized, or TLS trouble
  130  interrupted (Ctrl-C)

A replica (balsa serve) and a cluster (balsa dev) that are told to stop, by SIGTERM or
SIGINT, stop cleanly and exit with 0.`
