/** Which configurations are meant: the stock ones, named ones, files, and variations of our own. */
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Result } from "effect"
import { type Configuration, ConfigurationError, parse } from "../../src/sim/course/Configuration.ts"

const folder = fileURLToPath(new URL("../../test/course", import.meta.url))
const stockFolder = join(folder, "configs")
const ownFolder = join(folder, "variations")

const filesIn = (one: string): ReadonlyArray<string> =>
  readdirSync(one)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => join(one, name))

/** The suite, from the simple ones to the advanced. */
export const stock = (): ReadonlyArray<string> => {
  const order = ["simple", "crash", "partition", "unreliable", "advanced"]
  const place = (file: string): number => order.findIndex((kind) => basename(file).startsWith(kind))
  return [...filesIn(stockFolder)].sort((one, other) => place(one) - place(other))
}

export const variations = (): ReadonlyArray<string> => filesIn(ownFolder)

/** A path, or the name of one of ours. */
export const fileOf = (word: string): string =>
  [...stock(), ...variations()].find((file) => basename(file, ".json") === word) ?? word

export const read = (file: string): Result.Result<Configuration, ConfigurationError> => {
  const name = basename(file, ".json")
  try {
    return parse(name, readFileSync(file, "utf8"))
  } catch (error) {
    const names = [...stock(), ...variations()].map((one) => basename(one, ".json")).join(", ")
    return Result.fail(
      new ConfigurationError({
        name,
        message: `${file} cannot be read (${(error as Error).message}); name a file, or one of ${names}`
      })
    )
  }
}
