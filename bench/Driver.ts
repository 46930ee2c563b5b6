/** Gives the load generator its jobs, and waits no longer than a job can take. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Job, News, Outcome } from "./generator.ts"
import * as Load from "./Load.ts"
import * as OpenLoad from "./OpenLoad.ts"

const fillMillis = 60_000
/** A hundredth of what is usual. */
const slowestKeysPerMilli = 0.5
const graceMillis = 5000

export class Driver {
  private readonly child: ChildProcess = fork(fileURLToPath(new URL("./generator.ts", import.meta.url)))

  constructor() {
    process.once("exit", () => this.stop())
  }

  carryOut(job: Job, onNews: (news: News) => void = () => undefined): Promise<Outcome> {
    const millis = longestMillis(job) + graceMillis
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome | Error): void => {
        clearTimeout(timer)
        this.child.off("message", onMessage)
        this.child.off("exit", onExit)
        if (outcome instanceof Error) reject(outcome)
        else resolve(outcome)
      }
      const onMessage = (message: Outcome | News): void => {
        if (message._tag === "Interval") onNews(message)
        else settle(message)
      }
      const onExit = (): void => settle(new Error("the load generator has ended"))
      const timer = setTimeout(
        () => settle(new Error(`the load generator has not finished its job (${job._tag}) within ${millis} ms`)),
        millis
      )
      this.child.on("message", onMessage)
      this.child.on("exit", onExit)
      this.child.send(job)
    })
  }

  get pids(): ReadonlyArray<number> {
    return this.child.pid === undefined ? [] : [this.child.pid]
  }

  stop(): void {
    this.child.kill("SIGKILL")
  }
}

const longestMillis = (job: Job): number => {
  switch (job._tag) {
    case "Fill":
      return fillMillis + (job.keys === undefined ? 0 : (job.keys.to - job.keys.from) / slowestKeysPerMilli)
    case "Load":
      return Load.longestMillis(job.windowMillis)
    case "Open":
      return OpenLoad.longestMillis(job.millis)
  }
}
