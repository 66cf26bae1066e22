/** The command line as functions: the answers of the conformance port, and what `inspect` says. */

import { describe, expect, test } from "vitest";
import { inspect, relative } from "../src/cli/inspect.js";
import { answers } from "../src/cli/verify.js";
import { ENVIRONMENT, POLICY, question } from "./cli-kit.js";
import { keyPair, serve } from "./key-set-server.js";
import { AUDIENCE, CLAIMS, claims, HEADER, ISSUER, NOW, OTHER_SECRET, SECRET, sign } from "./tokens.js";

type Reply = Record<string, unknown>;

async function ask(lines: readonly unknown[], policy?: object, now?: number): Promise<Reply[]> {
  const bytes = lines.map((line) => (Buffer.isBuffer(line) ? line : Buffer.from(JSON.stringify(line))));
  const input = Buffer.concat(bytes.flatMap((line) => [line, Buffer.from("\n")]));
  let text = "";
  for await (const replies of answers([input], policy as never, now)) text += replies;
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const policy = (changes: object) => question({ policy: { ...POLICY, ...changes } });

describe("verify", () => {
  test("good and bad tokens get one line each", async () => {
    const [good, bad] = await ask([
      question(),
      question({ id: "2", token: sign(CLAIMS, { ...HEADER, alg: "none" }) }),
    ]);
    expect(good).toEqual({
      id: "1",
      ok: true,
      principal: {
        subject: "u1",
        session_id: "s1",
        token_id: "j1",
        issued_at: NOW,
        expires_at: NOW + 300,
        claims: CLAIMS,
      },
    });
    expect(bad).toEqual({ id: "2", ok: false, code: "algorithm_not_allowed", hint: expect.any(String) });
  });

  test("token_b64 carries bytes", async () => {
    const { token, ...rest } = question();
    const encoded = (bytes: Buffer, kind: BufferEncoding = "base64url") => ({
      ...rest,
      token_b64: bytes.toString(kind),
    });
    expect((await ask([encoded(Buffer.from(token))]))[0]?.ok).toBe(true);
    expect((await ask([encoded(Buffer.from(token), "base64")]))[0]?.ok).toBe(true);
    expect((await ask([encoded(Buffer.from([0xff, 0xfe]))]))[0]?.code).toBe("token_malformed");
    expect((await ask([encoded(Buffer.alloc(0))]))[0]?.code).toBe("token_malformed");
    for (const token_b64 of [1, "A", "A B", "A=A", "ä"]) {
      expect(await ask([{ ...rest, token_b64 }])).toEqual([{ id: "1", error: expect.any(String) }]);
    }
  });

  const lines: [string, unknown, string | null][] = [
    ["nothing", Buffer.from(""), null],
    ["no JSON", Buffer.from("not json"), null],
    ["an array", [], null],
    ["a name twice", Buffer.from('{"id":"1","id":"2"}'), null],
    ["NaN", Buffer.from('{"id":"1","now":NaN}'), null],
    ["no UTF-8", Buffer.from([0xff]), null],
    ["too deep", Buffer.from("[".repeat(100_000)), null],
    ["id 1", question({ id: 1 }), null],
    ["token null", question({ token: null }), "1"],
    ["token 7", question({ token: 7 }), "1"],
    ["two tokens", question({ token_b64: "AAAA" }), "1"],
    ["now as text", question({ now: "1" }), "1"],
    ["now true", question({ now: true }), "1"],
    ["policy null", question({ policy: null }), "1"],
    ["policy []", question({ policy: [] }), "1"],
    ["policy {}", question({ policy: {} }), "1"],
    ["no audience", policy({ audience: "" }), "1"],
    ["secrets []", policy({ secrets: [] }), "1"],
    ["secrets as text", policy({ secrets: SECRET }), "1"],
    ["secrets [1]", policy({ secrets: [1] }), "1"],
    ["secrets 5", policy({ secrets: 5 }), "1"],
    ["secrets and keys", policy({ keys: { keys: [] } }), "1"],
    ["leeway 61", policy({ leeway: 61 }), "1"],
    ["leeway null", policy({ leeway: null }), "1"],
    ["leeway 1.5", policy({ leeway: 1.5 }), "1"],
    ["maximumLifetime 0", policy({ maximumLifetime: 0 }), "1"],
    ["keys null", policy({ keys: null }), "1"],
    ["algorithms []", policy({ algorithms: [] }), "1"],
    ["algorithms none", policy({ algorithms: ["none"] }), "1"],
    ["algorithms mixed", policy({ algorithms: ["HS256", "EdDSA"] }), "1"],
    ["algorithms as text", policy({ algorithms: "HS256" }), "1"],
    ["algorithms 5", policy({ algorithms: 5 }), "1"],
    ["an unknown member", policy({ verify_aud: false }), "1"],
    ["a clock", policy({ clock: 1 }), "1"],
    ["a secret", question({ policy: { issuer: ISSUER, audience: AUDIENCE, secret: SECRET } }), "1"],
    [
      "__proto__",
      Buffer.from(JSON.stringify(question()).replace('"issuer"', '"__proto__":{},"issuer"')),
      "1",
    ],
    ["no keys", question({ policy: { issuer: ISSUER, audience: AUDIENCE } }), "1"],
    ["keys []", question({ policy: { issuer: ISSUER, audience: AUDIENCE, keys: [] } }), "1"],
    [
      "no usable key",
      question({ policy: { issuer: ISSUER, audience: AUDIENCE, keys: { keys: [{}] } } }),
      "1",
    ],
  ];
  test.each(lines)("%s: an error, and the stream goes on", async (_, line, id) => {
    const [error, good] = await ask([line, question()]);
    expect(error).toEqual({ id, error: expect.stringMatching(/./) });
    expect(error?.error).not.toContain(SECRET);
    expect(good?.ok).toBe(true);
  });

  test("defaults of policy and time, and whole numbers with a fraction of zero", async () => {
    expect((await ask([{ id: "1", token: sign() }], POLICY, NOW))[0]?.ok).toBe(true);
    expect((await ask([question({ now: NOW + 9999 })], {}, NOW))[0]?.code).toBe("token_expired");
    const line = Buffer.from(JSON.stringify(policy({ leeway: 10 })).replace('"leeway":10', '"leeway":10.0'));
    expect((await ask([line]))[0]?.ok).toBe(true);
  });

  test("lines may come in any pieces, and the last without its end", async () => {
    const text = Buffer.from(`${JSON.stringify(question())}\r\n${JSON.stringify(question({ id: "ä" }))}`);
    const pieces = Array.from(text, (_, index) => text.subarray(index, index + 1));
    let replies = "";
    for await (const some of answers(pieces)) replies += some;
    expect(
      replies
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["1", "ä"]);
  });

  test("more policies than are kept", async () => {
    const many = Array.from({ length: 600 }, (_, index) => policy({ maximumLifetime: 300 + (index % 300) }));
    expect((await ask(many)).every((reply) => reply.ok === true)).toBe(true);
  });
});

describe("inspect", () => {
  const explain = async (token: string, now = NOW, environment: object = ENVIRONMENT) => {
    const { lines, status } = await inspect(token, environment as Record<string, string>, now);
    return { status, lines, text: lines.join("\n") };
  };

  test("explains a good token", async () => {
    const { status, lines, text } = await explain(sign(), NOW + 60);
    expect([status, lines[0], lines.at(-2)]).toEqual([
      0,
      "Header (unverified)",
      "Good: every rule passes, V1 to V17",
    ]);
    expect(text).toContain('  sub        "u1"');
    expect(text).toContain("  exp        2026-09-21 14:18:20 UTC, in 4 minutes");
    expect(text).toContain("1 minute ago");
    expect(text).toContain(HEADER.kid);
    for (const hidden of [SECRET, sign().split(".")[2] ?? ""]) expect(text).not.toContain(hidden);
  });

  test("says which rule fails and what to do", async () => {
    const elsewhere = { ...ENVIRONMENT, JWT_BRIDGE_AUDIENCE: "https://other.example" };
    const { status, lines } = await explain(sign(), NOW, elsewhere);
    expect([status, lines.at(-3)]).toEqual([1, "Refused: key_not_found"]);
    expect(lines.at(-2)).toContain("audience");
  });

  test("knows opaque tokens and the stock plugin's", async () => {
    expect(await explain("a1B2".repeat(8))).toMatchObject({
      status: 1,
      lines: ["No JWT: token_opaque", expect.stringContaining("session token")],
    });
    const stock = await explain(sign(CLAIMS, { alg: "EdDSA", kid: "x" }));
    expect([stock.status, stock.text.includes("jwtBridge()")]).toEqual([1, true]);
  });

  test("without settings it says what is missing", async () => {
    const { status, lines } = await explain(sign(), NOW, {});
    expect([status, lines.at(-1)]).toEqual([2, expect.stringContaining("BETTER_AUTH_SECRET is not set")]);
  });

  test("reads versioned secrets and a literal issuer", async () => {
    const environment = {
      BETTER_AUTH_SECRETS: `2:${OTHER_SECRET},1:${SECRET}`,
      JWT_BRIDGE_ISSUER: ISSUER,
      JWT_BRIDGE_AUDIENCE: AUDIENCE,
    };
    expect((await explain(sign(), NOW, environment)).status).toBe(0);
  });

  test("fetches keys where they are to be fetched, and says where they can not be had", async () => {
    const pair = keyPair("EdDSA", "ed");
    const server = await serve((_, response) => {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ keys: [pair.jwk] }));
    });
    const environment = {
      JWT_BRIDGE_JWKS_URL: server.url,
      JWT_BRIDGE_ISSUER: ISSUER,
      JWT_BRIDGE_AUDIENCE: AUDIENCE,
    };
    const { status, lines } = await explain(pair.token(), NOW, environment);
    expect([status, lines.at(-1)]).toEqual([0, `  issuer ${ISSUER}, audience ${AUDIENCE}, keys ed`]);
    await server.stop();
    const down = await explain(pair.token(), NOW, environment);
    expect([down.status, down.lines.at(-2), down.lines.at(-1)]).toEqual([
      2,
      "Not verified",
      `  the key set at ${server.url} can not be used: no connection (ECONNREFUSED)`,
    ]);
  });

  test.each([1e300, -1, "x", null, 253402300799, 0.5])("survives exp %j", async (exp) => {
    expect((await explain(sign(claims({ exp })))).status).toBe(1);
  });

  test("prints no control characters", async () => {
    const { text } = await explain(sign(claims({ "\u001b[31m": "\u001b[2J\u202e", list: ["ä", { a: 1 }] })));
    expect(text).toMatch(/^[ -~\n]*$/);
    expect(text).toContain('["\\u00e4", {"a": 1}]');
  });

  test("says how far a moment is away", () => {
    expect([0, 90061, -1, 86400].map(relative)).toEqual([
      "now",
      "in 1 day 1 hour",
      "1 second ago",
      "in 1 day",
    ]);
  });
});
