import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (file: string) => fileURLToPath(new URL(`src/${file}`, import.meta.url));
/** What package.json's "imports" gives by the platform's condition, here from the sources. */
const node = { find: "#primitives", replacement: source("primitives-node.ts") };
const web = { find: "#primitives", replacement: source("primitives.ts") };
const older = { find: /^better-auth(?=$|\/)/, replacement: "better-auth-1-6" };

// The first start of PostgreSQL on a machine copies its programs to where its account can reach them.
const limits = { hookTimeout: 120_000, testTimeout: 20_000 };

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: [node] },
        // As Next.js compiles the pages' components.
        esbuild: { jsx: "automatic" },
        test: { name: "better-auth 1.7", include: ["test/**/*.test.ts"], ...limits },
      },
      {
        resolve: { alias: [node, older] },
        test: {
          name: "better-auth 1.6",
          // What reaches Better Auth: anything else would run twice on the same files.
          include: [
            "test/{issuer*,less-than-the-secret,configuration,token-source,token-source-better-auth,server-fetch,proxy,react}.test.ts",
          ],
          ...limits,
        },
      },
      {
        resolve: { alias: [web] },
        test: {
          name: "webcrypto",
          include: [
            "test/{vectors,fuzz*,verifier,verifier-options,verifier-keys,keys,jwk*,environment,guards-keys,testing}.test.ts",
          ],
          ...limits,
        },
      },
    ],
  },
});
