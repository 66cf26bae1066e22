// Fetched keys in TypeScript: how often the key set is asked for, and what valid tokens notice. Prints JSON.
//
// The key-set server is a real one on loopback that counts. Only the clock of the fetched keys, which is
// performance.now(), is stepped by hand, so that cool-downs pass without waiting for them.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createVerifier } from "jwt-auth-bridge/verify";
import { makeKey } from "./key-pairs.mjs";
import { median } from "./measure.mjs";
import { AUDIENCE, ISSUER, LEEWAY } from "./tokens.mjs";

const ALGORITHM = "EdDSA";
/** The contract's, in seconds. */
const COOL_DOWN = 30;
const RANDOM_KIDS = 10_000;
/** How many requests with random `kid`s are on their way at any time. */
const AT_ONCE = 10;
const ROUNDS = 20;
const FIRST_REQUESTS = 1000;
/** Milliseconds that the key-set server takes for an answer: long enough for a thousand verifications. */
const ANSWER_TAKES = 50;

let now = 0;
const realNow = performance.now.bind(performance);
performance.now = () => now * 1000;

/** Runs something beside a key-set server on loopback. */
async function withIssuer(keys, body) {
  const issuer = { keys, fetches: 0, url: "" };
  const server = createServer((_, response) => {
    issuer.fetches += 1;
    setTimeout(() => {
      response.writeHead(200, { "content-type": "application/json", "cache-control": "max-age=3600" });
      response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }));
    }, ANSWER_TAKES);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  issuer.url = `http://127.0.0.1:${server.address().port}/jwks`;
  try {
    return await body(issuer);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** A verifier of that issuer's tokens; its clock begins again at 0. */
function makeApi(issuer) {
  now = 0;
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: AUDIENCE,
    leeway: LEEWAY,
    jwksUri: issuer.url,
    log: () => {},
  });
  const outcome = (token) =>
    verifier.verify(token).then(
      () => "accepted",
      (error) => error.code ?? error.message,
    );
  return { verifier, outcome };
}

/** A token that nothing but the key set can tell from a good one before its signature is looked at. */
function randomKid(good) {
  const header = { alg: ALGORITHM, typ: "at+jwt", kid: randomBytes(32).toString("base64url") };
  return `${Buffer.from(JSON.stringify(header)).toString("base64url")}${good.slice(good.indexOf("."))}`;
}

const nextTurn = () => new Promise(setImmediate);

/** Random `kid`s beside valid tokens: each valid one is timed, in rounds with the others and without. */
const flood = () => {
  const key = makeKey(ALGORITHM);
  const good = key.token();
  const usual = [];
  const meanwhile = [];
  const codes = new Set();
  return withIssuer([key], async (issuer) => {
    const { verifier, outcome } = makeApi(issuer);
    await verifier.prefetch();
    issuer.fetches = 0;
    now = COOL_DOWN;
    const valid = async (isDone) => {
      const times = [];
      while (!isDone()) {
        const began = process.hrtime.bigint();
        await verifier.verify(good);
        times.push(Number(process.hrtime.bigint() - began) / 1000);
        await nextTurn();
      }
      return times;
    };
    const attack = async (tokens) => {
      for (const token of tokens) {
        codes.add(await outcome(token));
        await nextTurn();
      }
    };
    const tokens = (count) => Array.from({ length: count }, () => randomKid(good));
    await valid(counting(RANDOM_KIDS / ROUNDS)); // the compiler's turn
    for (let round = 0; round < ROUNDS; round += 1) {
      usual.push(await valid(counting(RANDOM_KIDS / ROUNDS)));
      let attacked = false;
      const attackers = Array.from({ length: AT_ONCE }, () => attack(tokens(RANDOM_KIDS / ROUNDS / AT_ONCE)));
      const attacks = Promise.all(attackers).then(() => {
        attacked = true;
      });
      meanwhile.push(await valid(() => attacked));
      await attacks;
    }
    const one = issuer.fetches;
    for (let more = 0; more < 10; more += 1) {
      now += COOL_DOWN;
      await attack(tokens(RANDOM_KIDS / 100));
    }
    if ([...codes].join() !== "key_not_found") throw new Error(`random kids were answered ${[...codes]}`);
    return {
      usual: summary(usual),
      meanwhile: summary(meanwhile),
      ratio: median(meanwhile.map((times, round) => median(times) / median(usual[round]))),
      fetches: { "in one cool-down": one, "in ten more": issuer.fetches - one },
    };
  });
};

/** True from the count-th question on. */
function counting(count) {
  let asked = 0;
  return () => asked++ >= count;
}

/** Median and 99th percentile in microseconds. */
function summary(rounds) {
  const sorted = rounds.flat().sort((a, b) => a - b);
  return { median: median(sorted), p99: sorted[Math.floor(sorted.length * 0.99)] };
}

/** Many first requests at once, with no key in hand. */
const cold = () => {
  const key = makeKey(ALGORITHM);
  return withIssuer([key], async (issuer) => {
    const { outcome } = makeApi(issuer);
    const good = key.token();
    const began = realNow();
    const outcomes = await Promise.all(Array.from({ length: FIRST_REQUESTS }, () => outcome(good)));
    const milliseconds = realNow() - began;
    return { fetches: issuer.fetches, failures: refused(outcomes), milliseconds };
  });
};

const refused = (outcomes) => outcomes.filter((each) => each !== "accepted").length;

/**
 * The issuer publishes a new key at the worst second, and signs with it some seconds later.
 *
 * Ten good tokens a second for three minutes; `attacked`: and each second one with a random `kid`, so that the
 * cool-down is never over when it matters.
 */
const rotation = (signsAfter, { attacked }) => {
  const [old, next] = [makeKey(ALGORITHM, "old"), makeKey(ALGORITHM, "new")];
  const publishes = 2 * COOL_DOWN + 1;
  const signs = publishes + signsAfter;
  return withIssuer([old], async (issuer) => {
    const { verifier, outcome } = makeApi(issuer);
    await verifier.prefetch();
    let failures = 0;
    let seconds;
    for (let second = 0; second < 180; second += 1) {
      now = second;
      if (second === publishes) issuer.keys = [next, old];
      if (attacked) await outcome(randomKid(old.token()));
      const good = (second >= signs ? next : old).token();
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => outcome(good)));
      failures += refused(outcomes);
      if (second >= signs && outcomes.includes("accepted")) seconds ??= second - signs;
    }
    return { failures, fetches: issuer.fetches, seconds };
  });
};

const figures = {
  flood: await flood(),
  cold: await cold(),
  rotation: {
    "published a cool-down before": await rotation(COOL_DOWN, { attacked: false }),
    "the same, among random kids": await rotation(COOL_DOWN, { attacked: true }),
    "published and used at once": await rotation(0, { attacked: false }),
    "the same, among random kids, worst moment": await rotation(0, { attacked: true }),
  },
};
process.stdout.write(JSON.stringify(figures));
