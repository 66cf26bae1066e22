import { defineConfig } from "vitest/config";

// The first start of PostgreSQL on a machine copies its programs to where its account can reach them.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], hookTimeout: 120_000, testTimeout: 20_000 },
});
