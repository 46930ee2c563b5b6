/** A real Redis to compare with, for as long as a test lasts. */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"

export const isHere = spawnSync("redis-server", ["--version"]).status === 0

export const howToGet = "redis-server is not installed; on Debian: apt-get install redis-server redis-tools"

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number }
  server.close()
  await once(server, "close")
  return port
}

/** Its port. */
export const start = async (): Promise<number> => {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), "balsa-redis-"))
  const redis = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory],
    {
      stdio: ["ignore", "pipe", "ignore"]
    }
  )
  onTestFinished(async () => {
    const closed = once(redis, "close")
    redis.kill("SIGKILL")
    await closed
    rmSync(directory, { recursive: true, force: true })
  })
  let said = ""
  for await (const chunk of redis.stdout) {
    said += String(chunk)
    if (said.includes("Ready to accept connections")) break
  }
  redis.stdout.resume()
  return port
}
