/** Somebody without a browser: signs up and in over the web app's HTTP interface, keeps the cookies, asks for tokens. */

export type Account = {
  /** The user's ID. */
  readonly id: string;
  readonly email: string;
  /** What a browser would send: the session's cookies. */
  cookie(): string;
  /** Asks the web app for a token; `query` is appended as it is. */
  askToken(query?: string): Promise<Response>;
  /** A token. Throws where there is none to be had. */
  token(query?: string): Promise<string>;
  signIn(): Promise<void>;
};

/** Signs up somebody with an e-mail address that nobody else has. */
export async function newAccount(webUrl: string): Promise<Account> {
  const jar = new Map<string, string>();
  const cookie = () => [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  const person = { name: "Somebody", email: `${crypto.randomUUID()}@example.com`, password: "correct horse" };

  async function web(path: string, body?: object): Promise<Response> {
    const answer = await fetch(`${webUrl}/api/auth/${path}`, {
      method: body ? "POST" : "GET",
      headers: { origin: webUrl, cookie: cookie(), ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    return answer;
  }

  async function enter(path: string): Promise<string> {
    jar.clear(); // a cookie of a session that is no more is no help
    const answer = await web(path, person);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return ((await answer.json()) as { user: { id: string } }).user.id;
  }

  const id = await enter("sign-up/email");
  const askToken = (query = "") => web(`token${query}`);
  return {
    id,
    email: person.email,
    cookie,
    askToken,
    async token(query) {
      const answer = await askToken(query);
      if (!answer.ok) throw new Error(`/token answered ${answer.status}: ${await answer.text()}`);
      return ((await answer.json()) as { token: string }).token;
    },
    async signIn() {
      await enter("sign-in/email");
    },
  };
}

/** The API's answer to `GET /api/me`, or another path, with that token. */
export function callApi(apiUrl: string, token: string, path = "/api/me"): Promise<Response> {
  return fetch(apiUrl + path, { headers: { authorization: `Bearer ${token}` } });
}

/** A token's header or claims, unverified. */
export function partOf(token: string, part: "header" | "claims"): Record<string, unknown> {
  const text = token.split(".")[part === "header" ? 0 : 1] ?? "";
  return JSON.parse(Buffer.from(text, "base64url").toString());
}
