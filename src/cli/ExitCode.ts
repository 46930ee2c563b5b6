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
    3  not found: the key, lease or member does not exist; del: nothing was deleted;
       txn: a comparison did not hold; lock --try: somebody else has it
    4  unavailable: no endpoint in reach, or no majority of the cluster; nothing was done
    5  timeout: no answer in time; a write may or may not have been applied
    6  not authorized, or TLS trouble
  130  interrupted (Ctrl-C)

A replica (balsa serve) and a cluster (balsa dev) that are told to stop, by SIGTERM or
SIGINT, stop cleanly and exit with 0, and so does a lock or an election that is held.

lock and watch --exec exit with the code of the program that they run: 128 and the number of a
signal that ended it, 127 if there is no such program, 126 if it cannot be run. A shell that
reads from a pipe exits with the code of the first line that failed.`
