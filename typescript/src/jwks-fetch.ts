/**
 * One GET of a key-set URL, its whole time and size bounded.
 *
 * Private half of the room `jwks`: brings back what a server answered and judges none of it. The platform's
 * `fetch` and nothing else, so that it runs wherever the verifier does. Law: RFC 9110, the Fetch standard.
 *
 * Deliberately not done: no redirect is followed, no cookie is sent.
 */

import { KeySetUnavailableError } from "./errors.js";
import { failure, type KeySetResponse, tooLate } from "./jwks.js";
import { PLAIN_KEY_ID } from "./keys.js";
import { KEY_SET_TIMEOUT, MAX_KEY_SET_BYTES } from "./profile.js";

/**
 * Fetches a key set.
 *
 * @param url judged by `judgeKeySetUrl`.
 * @returns the answer, after 5 seconds at the latest.
 * @throws KeySetUnavailableError with the reason: a short sentence without anything that was received.
 */
export async function fetchKeySet(url: string): Promise<KeySetResponse> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Not by the signal alone: not every platform ends the reading of a body by it.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate()), KEY_SET_TIMEOUT * 1000);
  });
  try {
    return await Promise.race([exchange(url, controller.signal), late]);
  } catch (error) {
    throw error instanceof KeySetUnavailableError ? error : failure(`no connection (${codeOf(error)})`);
  } finally {
    clearTimeout(timer);
    // Lets go of the connection of an answer that was not read to its end.
    controller.abort();
  }
}

async function exchange(url: string, signal: AbortSignal): Promise<KeySetResponse> {
  const response = await fetch(requestFor(url, signal));
  const { status, headers, type } = response;
  // Platforms that hide a redirect give it the status 0.
  if (type === "opaqueredirect") throw failure("a redirect instead of status 200");
  const body = status === 200 ? await readBody(response) : new Uint8Array();
  return {
    status,
    contentType: headers.get("content-type"),
    cacheControl: headers.get("cache-control"),
    body,
  };
}

function requestFor(url: string, signal: AbortSignal): Request {
  const headers = { accept: "application/jwk-set+json, application/json" };
  const always = { headers, signal, redirect: "manual" } as const;
  try {
    return new Request(url, { ...always, cache: "no-store", credentials: "omit" });
  } catch {
    // Some workers refuse these two, and have neither a cache to pass by nor cookies to send.
    return new Request(url, always);
  }
}

async function readBody(response: Response): Promise<Uint8Array> {
  const body = new Uint8Array(MAX_KEY_SET_BYTES + 1);
  const reader = response.body?.getReader();
  let length = 0;
  while (length < body.length) {
    const chunk = (await reader?.read())?.value;
    if (chunk === undefined) break;
    body.set(chunk.subarray(0, body.length - length), length);
    length += chunk.length;
  }
  return body.subarray(0, length);
}

/** Of an error that the platform threw, its code alone: ECONNREFUSED, DEPTH_ZERO_SELF_SIGNED_CERT. */
function codeOf(error: unknown): string {
  const { cause, name } = Object(error) as { cause?: { code?: unknown }; name?: unknown };
  const code = cause?.code ?? name;
  return typeof code === "string" && PLAIN_KEY_ID.test(code) ? code : "Error";
}
