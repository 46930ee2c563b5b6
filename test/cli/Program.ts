/** The program as it ships: the bundle, run as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../../scripts/build.ts"

export interface Finished {
  readonly code: number | null
  readonly out: string
  readonly bytes: Buffer
  readonly err: string
}

export interface RunOptions {
  readonly env?: Record<string, string>
  readonly input?: string | Buffer
  readonly nodeArgv?: ReadonlyArray<string>
  readonly cwd?: string
}

export class Program {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async build(): Promise<Program> {
    const path = join(mkdtempSync(join(tmpdir(), "balsa-cli-")), "main.mjs")
    await bundle(path)
    return new Program(path)
  }

  start(argv: ReadonlyArray<string>, options: RunOptions = {}): ChildProcess {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(BALSA_|NO_COLOR|FORCE_COLOR)/.test(name))
    return spawn(process.execPath, [...(options.nodeArgv ?? []), this.path, ...argv], {
      env: { ...Object.fromEntries(inherited), ...options.env },
      cwd: options.cwd,
      stdio: ["pipe", "pipe", "pipe"]
    })
  }

  async run(argv: ReadonlyArray<string>, options: RunOptions = {}): Promise<Finished> {
    const child = this.start(argv, options)
    const out: Array<Buffer> = []
    const err: Array<Buffer> = []
    child.stdout!.on("data", (chunk: Buffer) => out.push(chunk))
    child.stderr!.on("data", (chunk: Buffer) => err.push(chunk))
    child.stdin!.end(options.input ?? "")
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
    const bytes = Buffer.concat(out)
    return { code, bytes, out: bytes.toString(), err: Buffer.concat(err).toString() }
  }
}
