import { defineConfig } from "vitest/config";

/** The whole stack and a real browser: one file after the other, on two cores there is no room for more. */
export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    globalSetup: ["./setup.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
