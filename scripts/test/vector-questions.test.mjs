// What `npm run test:system` asks a verifier in another language, and when an answer fails it: no list excuses a token that
// a rule beyond form refuses, or one that the contract takes.

import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { languageSuites } from "../other-languages.mjs";
import { inRoot } from "../repository.mjs";
import { derivedKey, judge, questionsFor } from "../vector-questions.mjs";

const vectors = JSON.parse(
  fs.readFileSync(inRoot("specs", "001-jwt-auth-bridge", "vectors", "access-token.json"), "utf8"),
);
const good = { id: "good", rule: "V9", expect: { ok: true, principal: { subject: "alice" } } };
const odd = { id: "odd", rule: "V9", expect: { ok: false } };
const wrong = { id: "wrong", rule: "V14", expect: { ok: false } };
const taken = { ok: true, subject: "alice" };
const refused = { ok: false, reason: "because" };

test("the derived key is the one of the contract", () => {
  expect(derivedKey("k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=", "https://api.example.com")).toEqual({
    kty: "oct",
    k: Buffer.from("ca862b5e685d08ae50988596632ba4e9636432edb22d29ae54a9baca706ea565", "hex").toString(
      "base64url",
    ),
    kid: "vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM",
    alg: "HS256",
    use: "sig",
  });
});

test("right answers pass", () => {
  expect(judge([good, odd], [taken, refused], [])).toMatchObject({ passed: 2, failures: [] });
});

test("an odd token that is taken fails, unless the list says why", () => {
  expect(judge([odd], [taken], []).failures).toEqual(["odd [V9]: it is taken, and the contract refuses it"]);
  const listed = judge([odd], [taken], [{ why: "it is lenient", tokens: ["odd"] }]);
  expect(listed).toMatchObject({ passed: 0, failures: [], gone: [] });
  expect(listed.known.get("it is lenient")).toEqual([odd]);
});

test("a list excuses neither another rule, nor a refusal, nor another user", () => {
  const all = [{ why: "listed", tokens: ["good", "wrong"] }];
  expect(judge([wrong], [taken], all).failures).toHaveLength(1);
  expect(judge([wrong], [taken], [{ ...all[0], rule: "V14" }]).failures).toHaveLength(1);
  expect(judge([good], [refused], all).failures).toEqual([
    "good [V9]: it is refused, and the contract takes it: because",
  ]);
  expect(judge([good], [{ ok: true, subject: "bob" }], []).failures).toEqual([
    "good [V9]: the user is not alice, but bob",
  ]);
});

test("a signature in another encoding is excused by an entry that says so, and by no other", () => {
  const signature = { id: "signature", rule: "V8", expect: { ok: false } };
  const entry = { why: "listed", tokens: ["signature"] };
  expect(judge([signature], [taken], [entry]).failures).toHaveLength(1);
  expect(judge([signature], [taken], [{ ...entry, rule: "V8" }]).failures).toEqual([]);
});

test("a listed token that is refused now is named", () => {
  expect(judge([odd], [refused], [{ why: "it was lenient", tokens: ["odd"] }]).gone).toEqual(["odd"]);
});

test("every vector is asked or left with a reason", () => {
  const { groups, left } = questionsFor(vectors, ["HS256"]);
  const asked = groups.flatMap((group) => group.tests);
  expect(asked.length + left.length).toBe(vectors.numberOfTests);
  expect(groups.every((group) => group.tests.length === group.lines.length)).toBe(true);
  expect(left.every(({ why }) => why !== "")).toBe(true);
});

test.each(languageSuites().map(({ name }) => name))(
  "the list of %s names vectors that are refused",
  (name) => {
    const file = path.join(inRoot("examples", "other-languages"), name, "differences.json");
    const { differences } = JSON.parse(fs.readFileSync(file, "utf8"));
    for (const { rule, tokens } of differences) {
      const rules = rule === undefined ? ["V1", "V2", "V3", "V9"] : ["V8"];
      const odd = vectors.tests.filter((test) => rules.includes(test.rule) && !test.expect.ok);
      expect(odd.map(({ id }) => id)).toEqual(expect.arrayContaining(tokens));
    }
    const listed = differences.flatMap(({ tokens }) => tokens);
    expect(new Set(listed).size).toBe(listed.length);
  },
);
