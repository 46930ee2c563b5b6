/**
 * Builds dist/main.js, the program, dist/course.js, the replica for the course's network (see docs/course.md), and dist/lib,
 * the library: a file for each module, with its types.
 *
 * The program is one file, because loading hundreds of small ones from node_modules
 * takes several times as long and twice the memory. Names stay readable; minifying them
 * makes nothing faster.
 *
 * Run by a Node that is too old, the file says so in one line. For that it must get as far
 * as its first statement there, so it has no static imports (a missing export would end the
 * process before any statement runs) and no syntax newer than `oldestSyntax`.
 */
import { execFile } from "node:child_process"
import { chmodSync, readFileSync, rmSync, statSync } from "node:fs"
import { builtinModules } from "node:module"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { build, type Plugin } from "rolldown"

const root = fileURLToPath(new URL("..", import.meta.url))

/** What Balsa is tested on; must agree with `engines` in package.json. */
const oldestNode = [20, 19] as const
/** What must still be able to parse the bundle, and to complain. */
const oldestSyntax = "node14.18"

const check = `
const nodeVersion = process.versions.node.split(".").map(Number);
const tooOld = nodeVersion[0] < ${oldestNode[0]} || (nodeVersion[0] === ${oldestNode[0]} && nodeVersion[1] < ${oldestNode[1]});
if (tooOld || typeof process.getBuiltinModule !== "function") {
  process.stderr.write("balsa needs Node ${oldestNode.join(".")} or later (of 22: 22.3), and this is " + process.versions.node +
    ". In a checkout, npm start and npx node dist/main.js use the right one; otherwise see https://nodejs.org\\n");
  process.exit(1);
}
`

/** Turns every import of a Node module into a call at run time, after the check. */
const builtinsAtRunTime: Plugin = {
  name: "builtins-at-run-time",
  resolveId: {
    filter: { id: new RegExp(`^(?:node:.*|${builtinModules.join("|")})$`) },
    handler: (id, importer, { kind }) => {
      // The bundler's own runtime stands before all modules, so what it imports must as well.
      const form = importer?.includes("rolldown/runtime") ? "own" : kind === "require-call" ? "cjs" : "esm"
      return { id: `\0builtin:${form}:${id}`, moduleSideEffects: false }
    }
  },
  load: {
    filter: { id: /^\0builtin:/ },
    handler: (id) => {
      const name = id.slice("\0builtin:esm:".length)
      const module = `process.getBuiltinModule(${JSON.stringify(name)})`
      if (id.startsWith("\0builtin:cjs:")) return { code: `module.exports = ${module}`, moduleType: "js" }
      // What this Node exports and the one at run time does not is undefined there, as in CommonJS.
      const names = Object.keys(process.getBuiltinModule(name) ?? {}).filter((key) => /^[A-Za-z_$][\w$]*$/.test(key))
      const exports = names.filter((key) => key !== "default").map((key) => `_${key} as ${key}`)
      const values = names.filter((key) => key !== "default").map((key) => `const _${key} = builtin.${key};`)
      const code = `const builtin = ${module};\nexport default builtin;\n${values.join("\n")}\nexport { ${exports.join(", ")} };`
      return { code, moduleType: "js" }
    }
  }
}

/** Native helpers that ws uses if somebody installed them; without them, no `require` is left. */
const withoutOptionalNatives: Plugin = {
  name: "without-optional-natives",
  resolveId: {
    filter: { id: /^(?:bufferutil|utf-8-validate)$/ },
    handler: (id) => ({ id: `\0absent:${id}`, moduleSideEffects: false })
  },
  load: {
    filter: { id: /^\0absent:/ },
    handler: () => ({ code: `throw new Error("not bundled"); module.exports = {}`, moduleType: "js" })
  }
}

export const bundle = async (outfile: string, input = "src/main.ts"): Promise<void> => {
  const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as { version: string }
  const { output } = await build({
    cwd: root,
    input,
    platform: "node",
    plugins: [builtinsAtRunTime, withoutOptionalNatives],
    treeshake: { propertyReadSideEffects: false },
    transform: { target: oldestSyntax, define: { BALSA_VERSION: JSON.stringify(version) } },
    output: { file: outfile, format: "esm", codeSplitting: false, banner: "#!/usr/bin/env node", intro: check },
    logLevel: "warn"
  })
  const [chunk] = output
  if (output.length !== 1 || chunk.imports.length > 0) {
    throw new Error(`the bundle must be one file without imports, but imports ${chunk.imports.join(", ")}`)
  }
  chmodSync(outfile, 0o755)
}

const library = async (): Promise<void> => {
  rmSync(`${root}dist/lib`, { recursive: true, force: true })
  const compiler = fileURLToPath(import.meta.resolve("typescript/package.json").replace("package.json", "bin/tsc"))
  const compiled = promisify(execFile)(process.execPath, [compiler, "-p", `${root}tsconfig.lib.json`])
  await compiled.catch(({ stdout }: { readonly stdout: string }) => {
    throw new Error(`the library does not compile:\n${stdout}`)
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = performance.now()
  const outfile = `${root}dist/main.js`
  await Promise.all([bundle(outfile), bundle(`${root}dist/course.js`, "src/course/main.ts"), library()])
  const kilobytes = Math.round(statSync(outfile).size / 1000)
  const millis = Math.round(performance.now() - started)
  process.stderr.write(`dist/main.js: ${kilobytes} kB, and the library in dist/lib, in ${millis} ms\n`)
}
