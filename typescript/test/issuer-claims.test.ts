/** Claims that the integrator adds, against a real Better Auth on a real PostgreSQL. */

import { describe, expect, test, vi } from "vitest";
import { email, fetchToken, sql, start, verifier } from "./issuer-kit.js";
import { readClaims } from "./real-auth.js";

describe("added claims", () => {
  test("come by name, may wait, and are left out where they are undefined", async () => {
    const { browser } = start(
      {},
      {
        claims: {
          org: ({ user }: { user: { email: string } }) => ({ mail: user.email }),
          slow: async () => [1, 2.5, null, true],
          none: () => undefined,
          seen: ({ session }: { session: object }) => Object.keys(session).includes("token"),
        },
      },
    );
    const address = email();
    await browser.signUp(address);
    const claims = readClaims(await fetchToken(browser));
    expect(claims).toMatchObject({ org: { mail: address }, slow: [1, 2.5, null, true], seen: false });
    expect(claims).not.toHaveProperty("none");
  });

  test.each([
    ["NaN", () => Number.NaN],
    ["a big integer", () => 2 ** 53],
    ["1e21, which JSON would write with an exponent", () => 1e21],
    ["a bigint", () => 1n],
    ["a date", () => new Date()],
    ["a hole", () => new Array(1)],
    ["undefined inside", () => ({ a: undefined })],
    ["a function inside", () => ({ a() {} })],
    ["a lone surrogate", () => "\ud800"],
    ["a lone surrogate in a name", () => ({ "\ud800": 1 })],
    ["64 levels, with the payload 65", () => JSON.parse("[".repeat(64) + "]".repeat(64))],
    [
      "a circle",
      () => {
        const a: unknown[] = [];
        a.push(a);
        return a;
      },
    ],
    [
      "a throw",
      () => {
        throw new Error("no");
      },
    ],
    ["a size beyond V1", () => "secret-value".repeat(1000)],
  ])("that no verifier would take answer 500, and the log names the claim: %s", async (_, org) => {
    const log = vi.fn();
    const { browser } = start({ logger: { level: "error", log } }, { claims: { small: () => 1, org } });
    await browser.signUp(email());
    const response = await browser.request("/token");
    expect(response.status).toBe(500);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).not.toContain("eyJ");
    const said = JSON.stringify(log.mock.calls);
    expect(said).toMatch(/\[jwt-auth-bridge\] no token was issued: .*\borg\b/);
    expect(said).not.toContain("secret-value");
  });

  test("63 levels below the payload pass", async () => {
    const { browser } = start(
      {},
      { claims: { org: () => JSON.parse("[".repeat(63) + "]".repeat(63)), ["__proto__"]: () => 1 } },
    );
    await browser.signUp(email());
    const token = await fetchToken(browser);
    expect(Object.keys((await verifier.verify(token)).claims)).toEqual(
      expect.arrayContaining(["org", "__proto__"]),
    );
  });

  test("a user's ID that no verifier would take answers 500, and the log names sub", async () => {
    const log = vi.fn();
    const { browser } = start({ logger: { level: "error", log } });
    const user = await browser.signUp(email());
    const long = "x".repeat(256);
    const fields = 'id, name, email, "emailVerified", "createdAt", "updatedAt"';
    await sql(`insert into "user" (${fields}) values ($1, 'A', $2, false, now(), now())`, [long, email()]);
    await sql('update session set "userId" = $2 where "userId" = $1', [user.id, long]);
    expect((await browser.request("/token")).status).toBe(500);
    expect(JSON.stringify(log.mock.calls)).toContain("look at sub");
  });
});
