/**
 * Loaded into a replica with --import: SIGUSR2 starts V8's profiler, the next one stops it and writes the
 * profile to the file that PROFILE_FILE names with the process id behind it.
 */
import { renameSync, writeFileSync } from "node:fs"
import { Session } from "node:inspector"

const samplingMicros = 200
const file = `${process.env["PROFILE_FILE"]}.${process.pid}`
let session: Session | undefined

process.on("SIGUSR2", () => {
  if (session === undefined) {
    session = new Session()
    session.connect()
    session.post("Profiler.enable")
    session.post("Profiler.setSamplingInterval", { interval: samplingMicros })
    session.post("Profiler.start")
  } else {
    session.post("Profiler.stop", (error, result) => {
      // Whoever waits for the file must not see half of it.
      writeFileSync(`${file}.tmp`, JSON.stringify(error ?? result.profile))
      renameSync(`${file}.tmp`, file)
    })
    session.disconnect()
    session = undefined
  }
})
