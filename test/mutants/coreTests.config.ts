/** Which tests mutation testing asks: those that say what is wrong in one step, and not those that explore at random. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/raft/**/*.test.ts"],
    exclude: ["test/raft/exploration.test.ts"],
    testTimeout: 60_000
  }
})
