/**
 * Completes package-lock.json after `npm install`. A registry mirror may serve the binaries of
 * its own platform only; npm then leaves the other platforms' optional packages out of the
 * lock, and `npm ci` refuses such a lock everywhere. What is missing is added with what its name
 * says (`-linux-x64-musl`); it has no integrity until an install on that platform records one.
 * Download addresses are dropped: they belong to the mirror, not to the project.
 *
 *   node scripts/lock.ts           writes package-lock.json
 *
 * `scripts/tidy.ts` calls `missingOptionals` to check that nothing is missing.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>
  readonly [field: string]: unknown
}

export interface MissingOptional {
  /** Where the package that asks for it is, such as `node_modules/oxlint`. */
  readonly parent: string
  readonly name: string
  readonly version: string
}

/** Exactly pinned optional packages to which the lock gives no place that Node would find. */
export const missingOptionals = (lock: Lock): ReadonlyArray<MissingOptional> =>
  Object.entries(lock.packages).flatMap(([parent, found]) =>
    Object.entries(found.optionalDependencies ?? {})
      .filter(([, version]) => /^\d/.test(version))
      .filter(([name, version]) => placeOf(lock, parent, name)?.version !== version)
      .map(([name, version]) => ({ parent, name, version }))
  )

/** Node's own way of looking: beside, then in every folder above. */
const placeOf = (lock: Lock, parent: string, name: string): LockedPackage | undefined => {
  for (let folder = parent; ; folder = above(folder)) {
    const place = lock.packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`]
    if (place !== undefined || folder === "") return place
  }
}

const above = (folder: string): string => folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))

export const complete = (lock: Lock): Lock => {
  const packages: Record<string, LockedPackage> = {}
  for (const [path, { resolved: _, ...rest }] of Object.entries(lock.packages)) packages[path] = rest
  for (const { parent, name, version } of missingOptionals(lock)) {
    const top = `node_modules/${name}`
    const dev = lock.packages[parent]?.dev === true ? { dev: true } : {}
    const place = packages[top] === undefined ? top : `${parent}/${top}`
    packages[place] = { version, ...inNpmsOrder({ ...platformOf(name), ...dev, optional: true }) }
  }
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en"))
  return { ...lock, packages: Object.fromEntries(sorted) }
}

/** So that npm, when it writes the file next, changes nothing. */
const inNpmsOrder = (fields: LockedPackage): LockedPackage =>
  Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)))

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"]

/** A package for a platform that is not said would be installed everywhere: refuse such a name. */
const platformOf = (name: string): LockedPackage => {
  const words = name.split(/[-/]/)
  const os = systems.filter((system) => words.includes(system))
  const cpu = processors.filter((processor) => words.includes(processor))
  if (os.length === 0 && cpu.length === 0) throw new Error(`${name} does not say which platform it is for`)
  const libc = words.some((word) => word.startsWith("musl"))
    ? ["musl"]
    : words.some((word) => word.startsWith("gnu"))
      ? ["glibc"]
      : []
  return {
    ...(os.length > 0 ? { os } : {}),
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc.length > 0 ? { libc } : {})
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = fileURLToPath(new URL("../package-lock.json", import.meta.url))
  const lock = JSON.parse(readFileSync(file, "utf8")) as Lock
  writeFileSync(file, `${JSON.stringify(complete(lock), null, 2)}\n`)
  console.log(`${missingOptionals(lock).length} optional packages added`)
}
