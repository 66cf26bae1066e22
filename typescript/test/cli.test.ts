/** The command line as a process: the conformance port, `key`, and what all commands have in common. */

import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { fromEnvironment } from "../src/environment.js";
import { createVerifier } from "../src/verifier.js";
import { ENVIRONMENT, POLICY, question } from "./cli-kit.js";
import { buildPackage } from "./package.js";
import {
  AUDIENCE,
  claims,
  deriveKey,
  HEADER,
  ISSUER,
  KEY,
  keyId,
  NOW,
  OTHER_SECRET,
  SECRET,
  sign,
} from "./tokens.js";

const built = buildPackage();
const main = path.join(built.folder, "dist/cli/main.js");
const folder = mkdtempSync(path.join(tmpdir(), "cli-"));
afterAll(() => {
  built.remove();
  rmSync(folder, { recursive: true });
});

function run(
  args: readonly string[],
  input: string | Buffer = "",
  env: object = {},
): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [main, ...args], {
    input,
    encoding: "utf8",
    env: { PATH: "/usr/bin:/bin", ...env },
    maxBuffer: 1 << 28,
  });
}

describe("as a process", () => {
  const file = path.join(folder, "policy.json");
  writeFileSync(file, JSON.stringify(POLICY));

  test("the port, with --policy and --now", () => {
    const input = [0, 1, 2].map((id) => JSON.stringify({ id: String(id), token: sign() })).join("\r\n");
    const { status, stdout, stderr } = run(["verify", "--policy", file, "--now", String(NOW)], input);
    expect([status, stderr]).toEqual([0, ""]);
    const replies = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(replies.map(({ id, ok }) => [id, ok])).toEqual([
      ["0", true],
      ["1", true],
      ["2", true],
    ]);
  });

  test("whoever asks and waits is answered", async () => {
    const child = spawn(process.execPath, [main, "verify"]);
    for (const id of ["1", "2"]) {
      child.stdin.write(`${JSON.stringify(question({ id }))}\n`);
      const [reply] = await once(child.stdout, "data");
      expect(JSON.parse(String(reply))).toMatchObject({ id, ok: true });
    }
    child.stdin.end();
    expect((await once(child, "exit"))[0]).toBe(0);
  });

  test("ten megabytes are refused like any other size", () => {
    const { status, stdout } = run(["verify"], JSON.stringify(question({ token: "a".repeat(10_000_000) })));
    expect([status, JSON.parse(stdout).code]).toEqual([0, "token_malformed"]);
  });

  test("a reader that goes away ends it quietly", async () => {
    const child = spawn(process.execPath, [main, "verify"]);
    let said = "";
    child.stderr.on("data", (text) => {
      said += text;
    });
    child.stdin.on("error", () => {});
    child.stdout.destroy();
    child.stdin.end(`${JSON.stringify(question())}\n`.repeat(1000));
    expect([(await once(child, "exit"))[0], said]).toEqual([0, ""]);
  });

  test.each([
    [["verify", "--now", "soon"]],
    [["verify", "--now", "nan"]],
    [["verify", "--now", "1e999"]],
    [["verify", "--now", ""]],
    [["verify", "--policy", "/absent"]],
    [["verify", "--policy", main]],
    [["verify", "--leeway", "1"]],
    [["verify", "more"]],
    [["inspect"]],
    [["inspect", "a", "b"]],
    [["key", "more"]],
    [["key", "--secret", "x"]],
    [["sign"]],
    [["__proto__"]],
    [[]],
  ])("%j is wrong usage: 2 and a sentence", (args) => {
    const { status, stdout, stderr } = run(args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^usage: jwt-auth-bridge /);
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  test("help is worth reading", () => {
    expect(run(["--help"]).stdout).toContain("inspect");
    expect(run(["verify", "--help"]).stdout).toContain("JSON lines");
    expect(run(["inspect", "-h"]).stdout).toContain("the rule it fails");
    expect(run(["--help"]).status).toBe(0);
  });

  test("inspect reads standard input", () => {
    const { status, stdout, stderr } = run(
      ["inspect", "-"],
      `${sign(claims({ iat: 4e9, exp: 4e9 + 300 }))}\n`,
      ENVIRONMENT,
    );
    expect([status, stderr]).toEqual([1, ""]);
    expect(stdout).toContain("Refused: token_not_yet_valid");
  });
});

describe("key", () => {
  const JWK = (key: Buffer) =>
    `{"kty":"oct","k":"${key.toString("base64url")}","kid":"${keyId(key)}","alg":"HS256","use":"sig"}`;
  const OLD = deriveKey(OTHER_SECRET, AUDIENCE);
  const WARNING = "Whoever has them can issue tokens for that API: keep them as a secret.\n";

  test("prints the derived key on one line, and a sentence beside it", () => {
    const { status, stdout, stderr } = run(["key"], "", ENVIRONMENT);
    expect([status, stdout]).toEqual([0, `{"keys":[${JWK(KEY)}]}\n`]);
    expect(stderr).toBe(`Keys for audience ${AUDIENCE}: ${HEADER.kid}. ${WARNING}`);
  });

  test("all that are in force, current first, for the audience that is named", () => {
    const other = "https://other.example.com";
    const [first, second] = [deriveKey(OTHER_SECRET, other), deriveKey(SECRET, other)];
    const environment = { ...ENVIRONMENT, BETTER_AUTH_SECRETS: `2:${OTHER_SECRET},1:${SECRET}` };
    const { status, stdout, stderr } = run(["key", "--audience", other], "", environment);
    expect([status, stdout]).toEqual([0, `{"keys":[${JWK(first)},${JWK(second)}]}\n`]);
    expect(stderr).toContain(`${other}: ${keyId(first)}, ${keyId(second)}. `);
  });

  test("what it prints is what JWT_BRIDGE_KEYS takes, inline and as a file", async () => {
    const { stdout } = run(["key"], "", {
      ...ENVIRONMENT,
      BETTER_AUTH_SECRETS: `2:${OTHER_SECRET},1:${SECRET}`,
    });
    const file = path.join(folder, "keys.json");
    writeFileSync(file, stdout);
    for (const value of [stdout, stdout.trim(), `@${file}`]) {
      const environment = {
        JWT_BRIDGE_KEYS: value,
        JWT_BRIDGE_ISSUER: ISSUER,
        JWT_BRIDGE_AUDIENCE: AUDIENCE,
      };
      const verifier = createVerifier({ ...fromEnvironment(environment), clock: () => NOW });
      expect((await verifier.verify(sign())).subject).toBe("u1");
      expect(await verifier.keyIds).toEqual([keyId(OLD), HEADER.kid]);
    }
  });

  test("the same bytes as Python's", () => {
    const python = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
    const source = fileURLToPath(new URL("../../python/src", import.meta.url));
    const cases: [string[], object][] = [
      [[], ENVIRONMENT],
      [["--audience", "https://other.example.com"], ENVIRONMENT],
      [["--audience", "ä b"], { BETTER_AUTH_SECRETS: `2:${OTHER_SECRET},1:${SECRET}` }],
      [[], { BETTER_AUTH_SECRET: SECRET }],
      [[], { JWT_BRIDGE_AUDIENCE: AUDIENCE }],
      [[], { JWT_BRIDGE_AUDIENCE: AUDIENCE, BETTER_AUTH_SECRET: "short" }],
    ];
    for (const [args, environment] of cases) {
      const theirs = spawnSync(python, ["-m", "jwt_auth_bridge", "key", ...args], {
        encoding: "utf8",
        env: { PATH: "/usr/bin:/bin", PYTHONPATH: source, PYTHONUTF8: "1", ...environment },
      });
      if (theirs.error) throw new Error(`${python} is missing: npm run check installs it`);
      const { status, stdout, stderr } = run(["key", ...args], "", environment);
      expect([status, stdout, stderr]).toEqual([theirs.status, theirs.stdout, theirs.stderr]);
    }
  });

  test.each([
    ["no audience", { BETTER_AUTH_SECRET: SECRET }, [], "JWT_BRIDGE_AUDIENCE is not set"],
    ["an empty one", ENVIRONMENT, ["--audience", ""], "JWT_BRIDGE_AUDIENCE is not set"],
    ["no secret", { JWT_BRIDGE_AUDIENCE: AUDIENCE }, [], "BETTER_AUTH_SECRET is not set"],
    [
      "a weak one",
      { ...ENVIRONMENT, BETTER_AUTH_SECRET: "abc".repeat(20) },
      [],
      "BETTER_AUTH_SECRET repeats",
    ],
    ["one secret twice", { ...ENVIRONMENT, BETTER_AUTH_SECRETS: `2:${SECRET},1:${SECRET}` }, [], "twice"],
    ["a list without versions", { ...ENVIRONMENT, BETTER_AUTH_SECRETS: SECRET }, [], "entry 1,"],
  ])("%s: 2, a sentence, and no key", (_, environment, args, words) => {
    const { status, stdout, stderr } = run(["key", ...args], "", environment);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(words);
    expect(stderr.trimEnd()).not.toContain("\n");
    for (const hidden of [SECRET, "abcabc"]) expect(stderr).not.toContain(hidden);
  });

  test("the help says how to use what it prints", () => {
    const { status, stdout } = run(["key", "--help"]);
    expect(status).toBe(0);
    for (const words of ["JWT_BRIDGE_KEYS=", "@/run/secrets/keys", ".env", "--audience"]) {
      expect(stdout).toContain(words);
    }
  });
});
