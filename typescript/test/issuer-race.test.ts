/** Several processes, one key store: one pair for each due moment, and no token that the key set would refuse. */

import { beforeEach, describe, expect, test, vi } from "vitest";
import { judgeResponse } from "../src/jwks.js";
import { email, fetchToken, sql, start } from "./issuer-kit.js";
import { fetchKeySet, KEY_PAIR_ALGORITHMS, verifierOf } from "./key-sets.js";
import { readHeader } from "./real-auth.js";

const START = Date.parse("2026-11-21T12:00:00Z");
/** Seconds. */
const INTERVAL = 259_200;
const AHEAD = 600;

beforeEach(async () => {
  await sql("truncate jwks");
  vi.useFakeTimers({ toFake: ["Date"], now: START });
});

const at = (seconds: number) => vi.setSystemTime(START + seconds * 1000);
const ids = async (): Promise<string[]> =>
  (await sql("select id from jwks order by id")).rows.map(({ id }) => id);
const usable = async (): Promise<string[]> => {
  const { rows } = await sql('select id, "expiresAt" from jwks');
  return rows.filter(({ expiresAt }) => !expiresAt || expiresAt > new Date()).map(({ id }) => id);
};
const keyIdOf = (token: string) => readHeader(token).kid;

/** Processes that share one session, and a way to hold back what they write. */
async function startProcesses(count: number, bridge: object) {
  const processes = Array.from({ length: count }, () => start({}, bridge));
  const [first] = processes;
  await first?.browser.signUp(email());
  for (const { auth, browser } of processes) {
    for (const [name, value] of first?.browser.jar ?? []) browser.jar.set(name, value);
    await auth.$context;
  }
  return processes;
}
type Processes = Awaited<ReturnType<typeof startProcesses>>;

/** Lets the next pair of a process be written when the returned function is called; `reached` when it is to be. */
async function hold({ auth }: Processes[number]) {
  const { adapter } = await auth.$context;
  const create = adapter.create.bind(adapter);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    const spy = vi.spyOn(adapter, "create").mockImplementation(async (data) => {
      spy.mockRestore();
      resolve();
      await released;
      return create(data);
    });
  });
  return { reached, release };
}

/** Each process asks at once, and none writes its pair before all are about to. */
async function race<Answer>(processes: Processes, ask: (process: Processes[number]) => Promise<Answer>) {
  const held = await Promise.all(processes.map(hold));
  const asked = processes.map(ask);
  await Promise.all(held.map(({ reached }) => reached));
  for (const { release } of held) release();
  return Promise.all(asked);
}
const token = ({ browser }: Processes[number]) => fetchToken(browser);

describe.each(KEY_PAIR_ALGORITHMS)("%s, four processes at one due moment", (algorithm) => {
  const startFour = () => startProcesses(4, { algorithm, rotationInterval: INTERVAL });

  test("of the first pairs one is left, and no token that was issued on the way is refused", async () => {
    const processes = await startFour();
    const tokens = await race(processes, token);
    const [left, ...more] = await usable();
    expect(more).toEqual([]);
    const later = await Promise.all(processes.map(token));
    expect(later.map(keyIdOf)).toEqual([left, left, left, left]);
    at(290);
    const api = await verifierOf((processes[0] as Processes[number]).auth);
    for (const each of [...tokens, ...later]) await api.verify(each);
    // What lost is published as long as its tokens live, and not for the whole grace period.
    at(3600 + 61);
    expect((await fetchKeySet((processes[0] as Processes[number]).auth)).keys).toMatchObject([{ kid: left }]);
  });

  test("of the next pairs one is left; no other was ever signed with", async () => {
    const processes = await startFour();
    const old = keyIdOf(await token(processes[0] as Processes[number]));
    at(INTERVAL - AHEAD + 1);
    const tokens = await race(processes, token);
    expect(tokens.map(keyIdOf)).toEqual([old, old, old, old]);
    const [next, ...more] = (await ids()).filter((id) => id !== old);
    expect(more).toEqual([]);
    at(INTERVAL + 1);
    const later = await Promise.all(processes.map(token));
    expect(later.map(keyIdOf)).toEqual([next, next, next, next]);
    const api = await verifierOf((processes[3] as Processes[number]).auth);
    for (const each of later) await api.verify(each);
  });
});

describe("a pair that is older, and that was written later", () => {
  const startTwo = async () => {
    const [quick, slow] = await startProcesses(2, { algorithm: "EdDSA", rotationInterval: INTERVAL });
    return { quick, slow } as { quick: Processes[number]; slow: Processes[number] };
  };

  /** The slow process is about to write its pair; two seconds later the quick one makes its own, and asks. */
  async function overtake({ quick, slow }: Awaited<ReturnType<typeof startTwo>>, seconds: number) {
    at(seconds);
    const held = await hold(slow);
    const asked = token(slow);
    await held.reached;
    at(seconds + 2);
    const early = await token(quick);
    held.release();
    return { early, late: await asked };
  }

  test("as the first: what the quick one signed by then is good until it expires", async () => {
    const both = await startTwo();
    const { early, late } = await overtake(both, 0);
    expect(keyIdOf(early)).not.toBe(keyIdOf(late));
    expect(await usable()).toEqual([keyIdOf(late)]);
    expect(keyIdOf(await token(both.quick))).toBe(keyIdOf(late));
    at(300);
    const api = await verifierOf(both.quick.auth);
    await api.verify(early);
    await api.verify(late);
  });

  test("as the next one: the quick one's goes, and it never signed", async () => {
    const both = await startTwo();
    const old = keyIdOf(await token(both.quick));
    const { early, late } = await overtake(both, INTERVAL - AHEAD + 1);
    expect([early, late].map(keyIdOf)).toEqual([old, old]);
    expect(await ids()).toHaveLength(2);
  });

  test("when the old one ends within seconds: nothing is deleted that may have signed", async () => {
    const both = await startTwo();
    await token(both.quick);
    const { early, late } = await overtake(both, INTERVAL - 3);
    at(INTERVAL + 1);
    const next = await token(both.quick);
    const api = await verifierOf(both.slow.auth);
    for (const each of [early, late, next]) await api.verify(each);
    expect(await usable()).toEqual([keyIdOf(next)]);
    expect(await ids()).toHaveLength(3);
  });

  test("after five minutes nobody is judged a loser any more: it may be about to sign", async () => {
    const both = await startTwo();
    const { adapter } = await both.quick.auth.$context;
    await token(both.quick);
    const [row] = await adapter.findMany<Record<string, unknown>>({ model: "jwks" });
    const data = { ...row, id: "other", createdAt: new Date(START + 5000) };
    await adapter.create({ model: "jwks", data, forceAllowId: true });
    at(310);
    await token(both.slow);
    expect(await usable()).toHaveLength(2);
  });
});

test("a loser that can not be deleted now keeps no token from being issued, and goes with the next", async () => {
  const processes = await startProcesses(2, { algorithm: "EdDSA", rotationInterval: INTERVAL });
  await token(processes[0] as Processes[number]);
  at(INTERVAL - AHEAD + 1);
  const adapters = await Promise.all(processes.map(async ({ auth }) => (await auth.$context).adapter));
  const spies = adapters.map((adapter) =>
    vi.spyOn(adapter, "deleteMany").mockRejectedValue(new Error("away")),
  );
  await race(processes, token);
  expect(await ids()).toHaveLength(3);
  for (const spy of spies) spy.mockRestore();
  await token(processes[1] as Processes[number]);
  expect(await ids()).toHaveLength(2);
});

describe("many rotations, four processes, the grace period of thirty days", () => {
  test.each([
    ["asked all the time", INTERVAL - 300],
    ["asked after the old pair has ended", INTERVAL + 60],
  ])("%s: every verifier takes the key set", async (_, step) => {
    const processes = await startProcesses(4, { algorithm: "EdDSA", rotationInterval: INTERVAL });
    const [{ auth }] = processes as [Processes[number]];
    for (let turn = 0; turn < 14; turn += 1) {
      at(turn * step);
      await race(processes, (process) => fetchKeySet(process.auth));
      const set = await fetchKeySet(auth);
      const { keys } = judgeResponse(200, "application/json", new TextEncoder().encode(JSON.stringify(set)));
      expect(keys.size).toBeLessThanOrEqual(16);
      expect(await usable()).toHaveLength(step < INTERVAL && turn > 0 ? 2 : 1);
    }
  });
});

describe("a key set that somebody spoiled", () => {
  function watch() {
    const log = vi.fn();
    const started = start({ logger: { level: "error", log } }, { algorithm: "EdDSA" });
    return { ...started, logged: () => log.mock.calls.map(([, ...said]) => said.map(String).join(" ")) };
  }

  test.each(["{ no JSON", "null", "[]", '"k"', "{}"])(
    "a row with %s is left out, and named once",
    async (text) => {
      const { auth, browser, logged } = watch();
      await browser.signUp(email());
      const kid = keyIdOf(await fetchToken(browser));
      await sql(
        `insert into jwks (id, "publicKey", "privateKey", "createdAt") values ('spoiled', $1, '"x"', now())`,
        [text],
      );
      expect((await fetchKeySet(auth)).keys.map((key) => key.kid)).toEqual([kid]);
      expect((await fetchKeySet(auth)).keys).toHaveLength(1);
      await (await verifierOf(auth)).verify(await fetchToken(browser));
      const lines = logged();
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain("key pair spoiled");
      expect(lines[0]).not.toContain(text === "{}" ? "{" : text);
    },
  );

  test("of more than 32 keys the newest are published, those that have ended last; the log says so once", async () => {
    const { auth, browser, logged } = watch();
    await browser.signUp(email());
    const kid = keyIdOf(await fetchToken(browser));
    const { adapter } = await auth.$context;
    const [row] = await adapter.findMany<Record<string, unknown>>({ model: "jwks" });
    for (let count = 0; count < 40; count += 1) {
      // Ended, and made after the one that signs.
      const createdAt = new Date(START + count * 1000);
      const data = { ...row, id: `ended-${count}`, createdAt, expiresAt: new Date(START) };
      await adapter.create({ model: "jwks", data, forceAllowId: true });
    }
    at(60);
    const kids = (await fetchKeySet(auth)).keys.map((key) => key.kid);
    expect(kids).toHaveLength(32);
    expect(kids).toContain(kid);
    expect(kids).toContain("ended-39");
    expect(kids).not.toContain("ended-0");
    await fetchKeySet(auth);
    expect(logged()).toEqual([expect.stringContaining("32")]);
    await (await verifierOf(auth)).verify(await fetchToken(browser));
  });
});
