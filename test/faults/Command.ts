/** Programs of the system that the tests of this folder run, such as mount and strace. */
import { execFile, execFileSync } from "node:child_process"
import { promisify } from "node:util"

/** Runs it to its end and gives what it printed; fails with what it complained of. */
export const command = async (program: string, ...args: ReadonlyArray<string>): Promise<string> => {
  try {
    const { stdout } = await promisify(execFile)(program, args, { env: environment, timeout: 30_000 })
    return stdout
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    const why = stderr === undefined || stderr.trim() === "" ? message : stderr.trim()
    throw new Error(`${[program, ...args].join(" ")}: ${why}`, { cause: error })
  }
}

/** The same, as one of the last things before this process ends; true if it worked. */
export const lastCommand = (program: string, ...args: ReadonlyArray<string>): boolean => {
  try {
    execFileSync(program, args, { env: environment, stdio: "ignore", timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

/** Users other than root often lack the folders of system programs, and messages shall be in English. */
export const environment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: [process.env["PATH"], "/usr/sbin", "/sbin"].join(":"),
  LC_ALL: "C"
}
