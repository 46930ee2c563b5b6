import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // On two cores there would be one, and most of the longest tests wait for processes and do nothing themselves.
    maxWorkers: 2
  }
})
