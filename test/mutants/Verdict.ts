/**
 * Runs one mutant (or none: the control) in a process of its own and gathers what noticed it.
 * A process that is silent for too long hangs in the core, and one that ends before it is
 * done has died of it; both are noticed, at what was being tried. One that has used up its
 * time is stopped, and what it has not tried has noticed nothing.
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Part } from "./Mutant.ts"
import type { Line, Net, Task, Trial } from "./Suspect.ts"

export interface Notice {
  readonly what: string
  readonly rule: string
}

export interface Verdict {
  readonly notices: ReadonlyMap<Net, Notice>
  /** Why it ended before all was tried. */
  readonly cut: string | undefined
  /** A patch that does not apply, or a suspect that could not begin. */
  readonly error: string | undefined
  readonly seconds: number
}

export interface Limits {
  readonly silentSeconds: number
  readonly totalSeconds: number
  /** A folder for Node's compile cache, which makes starting three times as fast. It goes by what is in a file. */
  readonly cache: string
}

const scripts: Trial = { net: "scripts" }
const tests = (part: Part, speed: "quick" | "slow"): Trial => ({ net: "tests", part, speed })
const simulator = (part: Part, from: number, to: number): Trial => ({ net: "simulator", part, from, to })

/** Cheap nets first, and no further once one has noticed: enough to know that the mutant is killed. */
export const quick = (part: Part, seeds: number): Task => ({
  all: false,
  trials:
    part === "raft"
      ? [
          scripts,
          tests(part, "quick"),
          simulator(part, 1, Math.min(seeds, 20)),
          tests(part, "slow"),
          simulator(part, 21, seeds)
        ]
      : [simulator(part, 1, 5), tests(part, "quick"), tests(part, "slow"), simulator(part, 6, Math.min(seeds, 60))]
})

/** Every net by itself: what each would notice alone. */
export const thorough = (part: Part, seeds: number): Task => ({
  all: true,
  trials: [...(part === "raft" ? [scripts] : []), tests(part, "quick"), tests(part, "slow"), simulator(part, 1, seeds)]
})

const patching = new URL("Patching.ts", import.meta.url).href
const suspect = fileURLToPath(new URL("Suspect.ts", import.meta.url))

export const of = (mutant: string | undefined, task: Task, limits: Limits): Promise<Verdict> => {
  const began = performance.now()
  const notices = new Map<Net, Notice>()
  let trying: { readonly net: Net; readonly what: string } | undefined
  let done = false
  let hangs = false
  let cut: string | undefined
  const child = spawn(
    process.execPath,
    [
      "--max-old-space-size=600",
      "--disable-warning=ExperimentalWarning",
      "--import",
      patching,
      suspect,
      JSON.stringify(task)
    ],
    {
      env: { ...process.env, BALSA_MUTANT: mutant ?? "", NODE_OPTIONS: "", NODE_COMPILE_CACHE: limits.cache },
      stdio: ["ignore", "pipe", "pipe"]
    }
  )
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-4000)
  })
  const stop = (): boolean => child.kill("SIGKILL")
  const silence = (): NodeJS.Timeout =>
    setTimeout(() => {
      hangs = true
      stop()
    }, limits.silentSeconds * 1000)
  let silent = silence()
  const total = setTimeout(() => {
    cut = `stopped after ${limits.totalSeconds} s at ${trying?.what ?? "the start"}`
    stop()
  }, limits.totalSeconds * 1000)
  createInterface({ input: child.stdout }).on("line", (text) => {
    clearTimeout(silent)
    silent = silence()
    const line = JSON.parse(text) as Line
    if (line._tag === "Trying") trying = line
    if (line._tag === "Noticed") notices.set(line.net, { what: line.what, rule: line.rule })
    if (line._tag === "Done") done = true
  })
  return new Promise((resolve) => {
    child.on("close", (code) => {
      clearTimeout(silent)
      clearTimeout(total)
      let error: string | undefined
      if (!done && cut === undefined) {
        const rule = hangs ? `nothing happens for ${limits.silentSeconds} s` : `the process ends with ${code}`
        if (trying === undefined) error = said.trim() === "" ? rule : said.trim()
        else notices.set(trying.net, { what: trying.what, rule })
        cut = rule
      }
      resolve({ notices, cut, error, seconds: (performance.now() - began) / 1000 })
    })
  })
}

/** As many as `width` at a time. */
export const inTurn = async <A>(
  items: ReadonlyArray<A>,
  width: number,
  work: (item: A) => Promise<void>
): Promise<void> => {
  const rest = [...items]
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}
