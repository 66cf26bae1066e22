// A person of the walk: signs up and in over the web app's public HTTP interface, as a browser would, and calls the
// API through the package's own client. Remembers the last exchange, so that the walk can show it.

import { createBridgeFetch, createTokenSource } from "jwt-auth-bridge/client";

/** Makes a person with a new e-mail address. */
export function person({ webUrl, apiUrl }, name) {
  const jar = new Map();
  const account = {
    name,
    email: `${name}-${crypto.randomUUID()}@example.com`,
    password: crypto.randomUUID(),
  };
  const exchanges = [];

  const web = async (method, path, body) => {
    const answer = await fetch(webUrl + path, {
      method,
      headers: {
        origin: webUrl,
        cookie: [...jar].map(([key, value]) => `${key}=${value}`).join("; "),
        ...(body && { "content-type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [pair = ""] = cookie.split(";");
      jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    return { status: answer.status, headers: answer.headers, body: await readJson(answer) };
  };

  const token = async () => (await web("GET", "/api/auth/token")).body?.token;
  const recordingFetch = async (input, init) => {
    const request = new Request(input, init);
    exchanges.push({ url: request.url, authorization: request.headers.get("authorization") });
    return fetch(request);
  };
  const bridgeFetch = createBridgeFetch({
    baseURL: apiUrl,
    tokenSource: createTokenSource({ getToken: async () => (await token()) ?? null }),
    fetch: recordingFetch,
  });

  return {
    account,
    web,
    token,
    /** Calls the API with the package's client; `{user_id}` in the path is filled by it. */
    api: async (method, path, body) => {
      const answer = await bridgeFetch(path, {
        method,
        ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      });
      return { status: answer.status, headers: answer.headers, body: await readJson(answer) };
    },
    /** What the client really sent last. */
    lastSent: () => exchanges.at(-1),
  };
}

/** Calls the API by hand, with any token or none. */
export async function call(apiUrl, method, path, { token, body } = {}) {
  const answer = await fetch(apiUrl + path, {
    method,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { "content-type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, headers: answer.headers, body: await readJson(answer) };
}

async function readJson(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
