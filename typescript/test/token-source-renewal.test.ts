/** When the token source renews: an issuer that is away, a token that the API refuses, clocks that jump. */

import { describe, expect, test, vi } from "vitest";
import { createTokenSource, SessionMissingError, TokenUnavailableError } from "../src/client/index.js";
import { issuer } from "./client-kit.js";
import { clock, idOf, time } from "./token-source-kit.js";
import { claims, NOW, sign } from "./tokens.js";

describe("an issuer that is away, while the token is good", () => {
  const away = (retryAfter?: number) => new TokenUnavailableError("away", { status: 503, retryAfter });

  /** A lifetime of an hour: there are 30 seconds in which to renew. */
  async function openBeforeRenewal(random = () => 1) {
    const getToken = issuer({ exp: NOW + 3600 });
    const source = createTokenSource({ getToken, clock, random });
    await source.get();
    time.now += 3_570_000;
    getToken.mockRejectedValue(away());
    return { getToken, source };
  }

  test("is asked again after 1, 2, 4 … seconds, and no call waits for it meanwhile", async () => {
    const { getToken, source } = await openBeforeRenewal();
    const start = time.now;
    const askedAfter: number[] = [];
    for (let calls = 1; time.now - start < 29_500; time.now += 100) {
      expect((await source.get()).subject).toBe("u1");
      if (getToken.mock.calls.length === calls) continue;
      calls = getToken.mock.calls.length;
      askedAfter.push((time.now - start) / 1000);
    }
    expect(askedAfter).toEqual([0, 1, 3, 7, 15]);
  });

  test("the delay is by chance down to half of it", async () => {
    const getToken = issuer({ exp: NOW + 40, iat: NOW - 3560 });
    const source = createTokenSource({ getToken, clock, random: () => 0 });
    await source.get();
    getToken.mockRejectedValue(away());
    time.now += 3_570_000;
    await source.get();
    time.now += 499;
    await source.get();
    expect(getToken).toHaveBeenCalledTimes(2);
    time.now += 1;
    await source.get();
    expect(getToken).toHaveBeenCalledTimes(3);
  });

  test("Retry-After counts where it is longer", async () => {
    const { getToken, source } = await openBeforeRenewal();
    getToken.mockRejectedValue(away(10));
    await source.get();
    time.now += 9_999;
    await source.get();
    expect(getToken).toHaveBeenCalledTimes(2);
    time.now += 1;
    await source.get();
    expect(getToken).toHaveBeenCalledTimes(3);
  });

  test("when it is back, the count begins anew", async () => {
    const { getToken, source } = await openBeforeRenewal();
    await source.get();
    time.now += 1000;
    getToken.mockResolvedValueOnce(sign(claims({ exp: NOW + 3600, jti: "back" })));
    expect(await idOf(source)).toBe("back");
    time.now += 3_570_000;
    await source.get();
    time.now += 1000;
    await source.get();
    expect(getToken).toHaveBeenCalledTimes(5);
  });

  test("with no good token in hand every call asks, however long Retry-After is", async () => {
    const { getToken, source } = await openBeforeRenewal();
    getToken.mockRejectedValue(away(3600));
    await source.get();
    time.now += 30_000;
    await expect(source.get()).rejects.toMatchObject({ status: 503, retryAfter: 3600 });
    await expect(source.get()).rejects.toThrow("away");
    expect(getToken).toHaveBeenCalledTimes(4);
    getToken.mockResolvedValue(sign());
    await source.get();
  });

  test("a refused token is none in hand, and asks no more often than the others", async () => {
    const { getToken, source } = await openBeforeRenewal();
    const { value } = await source.get();
    const refused = () => expect(source.get({ rejected: value })).rejects.toMatchObject({ status: 503 });
    for (let times = 0; times < 20; times += 1) await refused();
    expect(getToken).toHaveBeenCalledTimes(2);
    time.now += 1000;
    await refused();
    expect(getToken).toHaveBeenCalledTimes(3);
  });

  test("for a refused token, too, the delay is at most 30 seconds", async () => {
    const getToken = issuer({ exp: NOW + 3600 });
    const source = createTokenSource({ getToken, clock, random: () => 1 });
    const { value: rejected } = await source.get();
    getToken.mockRejectedValue(away());
    const start = time.now;
    const askedAfter: number[] = [];
    for (let calls = 1; time.now - start < 100_000; time.now += 500) {
      await expect(source.get({ rejected })).rejects.toThrow("away");
      if (getToken.mock.calls.length === calls) continue;
      calls = getToken.mock.calls.length;
      askedAfter.push((time.now - start) / 1000);
    }
    expect(askedAfter).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
    getToken.mockResolvedValue(sign(claims({ jti: "back" })));
    time.now += 30_000;
    expect((await source.get({ rejected })).value).not.toBe(rejected);
  });

  test("only 401 drops: 429, 500, 503, no network and nonsense do not", async () => {
    const { getToken, source } = await openBeforeRenewal();
    const faults = [429, 500, 503].map((status) => new TokenUnavailableError("", { status }));
    for (const fault of [...faults, new TypeError("fetch failed"), "text", undefined]) {
      getToken.mockRejectedValue(fault);
      await source.get();
      time.now += 3000;
    }
    getToken.mockResolvedValue("nonsense");
    await source.get();
    expect(source.state().status).toBe("signed-in");
    time.now += 4000;
    getToken.mockRejectedValue(new SessionMissingError("says getToken itself"));
    await expect(source.get()).rejects.toThrow("says getToken itself");
    await expect(source.get()).rejects.toMatchObject({ code: "session_missing" });
  });
});

describe("a token that the API refuses", () => {
  test("is replaced; its successor is not, for 30 seconds", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    const first = await source.get();
    const second = await source.get({ rejected: first.value });
    time.now += 29_999;
    expect(await source.get({ rejected: second.value })).toBe(second);
    expect(await source.get()).toBe(second);
    expect(getToken).toHaveBeenCalledTimes(2);
    time.now += 1;
    const third = await source.get({ rejected: second.value });
    expect(third.value).not.toBe(second.value);
    expect(getToken).toHaveBeenCalledTimes(3);
  });

  test("neither after clear(), nor when the clock is set back by a day, is anything left of that", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get({ rejected: (await source.get()).value });
    source.clear();
    await source.get({ rejected: (await source.get()).value });
    expect(getToken).toHaveBeenCalledTimes(4);
    time.now -= 86_400_000;
    const late = await source.get();
    await source.get({ rejected: late.value });
    expect(getToken).toHaveBeenCalledTimes(6);
  });

  test("one that it never gave is of no concern", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get({ rejected: "x" });
    await source.get({ rejected: "x" });
    expect(getToken).toHaveBeenCalledTimes(1);
  });
});

describe("clocks and sleep", () => {
  test("a laptop asleep past the expiry asks before it hands anything out", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get();
    time.now += 8 * 3_600_000;
    getToken.mockRejectedValueOnce(new TypeError("no network yet"));
    await expect(source.get()).rejects.toMatchObject({ code: "token_unavailable" });
    expect(await idOf(source)).toBe("t3");
  });

  test("asleep while it asks: the lifetime counts from before", async () => {
    let give: (token: string) => void = () => {};
    const getToken = vi.fn(() => new Promise<string>((resolve) => (give = resolve)));
    const source = createTokenSource({ getToken, clock });
    const first = source.get();
    time.now += 3_600_000;
    give(sign());
    expect((await first).endsAt).toBe(NOW * 1000 + 300_000);
    source.get();
    expect(getToken).toHaveBeenCalledTimes(2);
    give(sign());
  });

  test.each([86_400_000, -86_400_000])("a clock that jumps by %d ms: one request, and on", async (by) => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get();
    time.now += by;
    const { endsAt } = await source.get();
    await source.get();
    expect(endsAt).toBe(time.now + 300_000);
    expect(getToken).toHaveBeenCalledTimes(2);
  });
});
