// The vectors of access tokens as questions to a verifier in another language, and its answers judged. Verdicts come from
// the vectors alone; a list beside each program names the odd tokens that its library takes, and why.

import { createHash, hkdfSync } from "node:crypto";

/** The rules on which libraries may differ from the contract: what is well-formed at all. */
const FORM = ["V1", "V2", "V3", "V9"];
/** The members of a policy that the programs know. */
const KNOWN_POLICY = new Set([
  "issuer",
  "audience",
  "secrets",
  "keys",
  "algorithms",
  "leeway",
  "maximumLifetime",
]);
const base64url = (bytes) => Buffer.from(bytes).toString("base64url");

/** access-token.md 1.2: the derived key as the JWK that a service in another language is given. */
export function derivedKey(secret, audience) {
  const k = base64url(hkdfSync("sha256", secret, "", `jwt-auth-bridge/v1/HS256/${audience}`, 32));
  const kid = createHash("sha256").update(`{"k":"${k}","kty":"oct"}`).digest("base64url");
  return { kty: "oct", k, kid, alg: "HS256", use: "sig" };
}

/** The algorithm of a key of the vectors; EdDSA has two names. */
const algorithmOf = ({ kty, crv }) => ({ oct: "HS256", RSA: "RS256", EC: "ES256", OKP: "EdDSA" })[kty] ?? crv;
const oneName = (algorithm) => (algorithm === "Ed25519" ? "EdDSA" : algorithm);

/**
 * The questions to a program that knows these algorithms, one group for each policy:
 * { groups: [{ environment, lines, tests }], left: [{ id, why }] }. A program takes every algorithm that it was given a key
 * of, so a policy that allows less is asked with the keys of what it allows.
 */
export function questionsFor(vectors, algorithms) {
  const left = [];
  const groups = Object.entries(vectors.policies).flatMap(([name, policy]) => {
    const keys = keysOf(policy, algorithms);
    const asked = { tests: [], lines: [] };
    for (const test of vectors.tests.filter((test) => test.policy === name)) {
      const token = textOf(test);
      const why = keys.length === 0 ? "no key that it knows" : reasonToLeave(test, token, policy, algorithms);
      if (why) {
        left.push({ id: test.id, why });
        continue;
      }
      asked.tests.push(test);
      const { leeway, maximumLifetime } = policy;
      asked.lines.push(JSON.stringify({ token, now: test.now, leeway, maximumLifetime }));
    }
    if (asked.tests.length === 0) return [];
    const environment = {
      JWT_BRIDGE_ISSUER: policy.issuer,
      JWT_BRIDGE_AUDIENCE: policy.audience,
      JWT_BRIDGE_KEYS: JSON.stringify({ keys }),
    };
    return [{ environment, ...asked }];
  });
  return { groups, left };
}

function keysOf(policy, algorithms) {
  if (policy.secrets) return policy.secrets.map((secret) => derivedKey(secret, policy.audience));
  const allowed = (policy.algorithms ?? algorithms).map(oneName);
  const known = (policy.keys?.keys ?? []).filter((key) => algorithms.includes(algorithmOf(key)));
  return known.filter((key) => allowed.includes(algorithmOf(key)));
}

/** A line of JSON holds text: a token whose bytes are no UTF-8 cannot be asked (a header field holds none either). */
function textOf({ token, token_b64 }) {
  if (token !== undefined) return token;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(token_b64, "base64url"),
    );
  } catch {
    return undefined;
  }
}

function reasonToLeave(test, token, policy, algorithms) {
  if (token === undefined) return "bytes that are no text";
  const unknown = Object.keys(policy).find((member) => !KNOWN_POLICY.has(member));
  if (unknown) return `a policy with ${unknown}`;
  if (!test.expect.ok) return undefined;
  const { alg } = JSON.parse(Buffer.from(token.split(".")[0], "base64url"));
  return algorithms.includes(oneName(alg)) ? undefined : `good, and signed with ${oneName(alg)}`;
}

/**
 * The answers, each beside its test, judged: { passed, failures: [sentence], known: Map(why -> [test]), gone: [id] }.
 *
 * @param {{ why: string, rule?: "V8", until?: string, tokens: string[] }[]} differences the odd tokens that this program is known to
 *   take. `rule` V8: a second encoding of the same signature, which its owner alone can make; no other rule has a list.
 *   `until`: only older versions of the platform take them, so that nothing is `gone` where a newer one refuses.
 */
export function judge(tests, answers, differences) {
  const reasons = new Map(differences.flatMap((entry) => entry.tokens.map((id) => [id, entry])));
  const known = new Map(differences.map(({ why }) => [why, []]));
  const failures = [];
  let passed = 0;
  for (const [index, test] of tests.entries()) {
    const { ok, subject } = answers[index];
    const right = ok === test.expect.ok && (!ok || subject === test.expect.principal.subject);
    const listed = reasons.get(test.id);
    if (right) passed += 1;
    else if (ok && !test.expect.ok && isExcused(test, listed)) known.get(listed.why).push(test);
    else failures.push(`${test.id} [${test.rule}]: ${sentence(test, answers[index])}`);
    if (!right) reasons.delete(test.id);
  }
  return {
    passed,
    failures,
    known,
    gone: [...reasons].filter(([, { until }]) => until === undefined).map(([id]) => id),
  };
}

function isExcused({ rule }, listed) {
  if (listed === undefined) return false;
  return listed.rule === undefined ? FORM.includes(rule) : listed.rule === "V8" && rule === "V8";
}

function sentence({ expect }, { ok, subject, reason }) {
  if (expect.ok && ok) return `the user is not ${expect.principal.subject}, but ${subject}`;
  return ok
    ? "it is taken, and the contract refuses it"
    : `it is refused, and the contract takes it: ${reason}`;
}
