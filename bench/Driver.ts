/** Gives the load generator its jobs, and waits no longer than a job can take. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Job, Outcome } from "./generator.ts"
import * as Load from "./Load.ts"

const fillMillis = 60_000
const graceMillis = 5000

export class Driver {
  private readonly child: ChildProcess = fork(fileURLToPath(new URL("./generator.ts", import.meta.url)))

  constructor() {
    process.once("exit", () => this.stop())
  }

  carryOut(job: Job): Promise<Outcome> {
    const millis = job.windowMillis === 0 ? fillMillis : Load.longestMillis(job.windowMillis) + graceMillis
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome | Error): void => {
        clearTimeout(timer)
        this.child.off("message", settle)
        this.child.off("exit", onExit)
        if (outcome instanceof Error) reject(outcome)
        else resolve(outcome)
      }
      const onExit = (): void => settle(new Error("the load generator has ended"))
      const timer = setTimeout(
        () => settle(new Error(`the load generator has not finished "${job.workload.name}" within ${millis} ms`)),
        millis
      )
      this.child.on("message", settle)
      this.child.on("exit", onExit)
      this.child.send(job)
    })
  }

  stop(): void {
    this.child.kill("SIGKILL")
  }
}
