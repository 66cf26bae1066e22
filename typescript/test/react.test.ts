/** `useBridge()` in a page: real React, Better Auth's real client for React, and a real Better Auth behind it. */

import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { jwtClient } from "better-auth/client/plugins";
import { afterEach, describe, expect, expectTypeOf, test, vi } from "vitest";

/** The page, before React is loaded; requests and answers stay Node's own. */
const page = await vi.hoisted(async () => {
  const { Window } = await import("happy-dom");
  const window = new Window({ url: "http://localhost:3000" });
  const { document, localStorage, navigator, MutationObserver } = window;
  for (const [name, value] of Object.entries({ window, document, localStorage, navigator }))
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  return { window, document, MutationObserver };
});

import { createAuthClient } from "better-auth/react";
import { createElement, StrictMode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { jwtBridge } from "../src/better-auth/index.js";
import { createTokenSource, SessionMissingError } from "../src/client/index.js";
import { createProxiedFetch } from "../src/client/proxied.js";
import { type BridgeStatus, createUseBridge } from "../src/react.js";
import { AUDIENCE, createBrowser, ORIGIN, PLAIN_PASSWORDS, SECRET } from "./real-auth.js";

const PASSWORD = "correct horse";
const tables = { user: [], session: [] as { id: string }[], account: [], verification: [], jwks: [] };
const auth = betterAuth({
  database: memoryAdapter(tables),
  secret: SECRET,
  baseURL: ORIGIN,
  emailAndPassword: { enabled: true, password: PLAIN_PASSWORDS },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
  plugins: [jwtBridge({ audience: AUDIENCE })],
});

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0).reverse()) end();
  tables.session.length = 0;
});

let people = 0;
const email = () => `person${++people}@example.com`;

/** One page in a browser. `away`: nothing is answered. `asked`: the paths of what was. */
function openPage(browser = createBrowser(auth), withTokens = true) {
  const network = { away: false, asked: [] as string[] };
  const authClient = createAuthClient({
    baseURL: ORIGIN,
    plugins: [jwtClient()],
    fetchOptions: {
      customFetchImpl: async (input, init) => {
        if (network.away) throw new TypeError("fetch failed");
        const { pathname, search } = new URL(String(input));
        const path = pathname.replace("/api/auth", "") + search;
        network.asked.push(path);
        return browser.request(path, init?.body ? JSON.parse(String(init.body)) : undefined);
      },
    },
  });
  const tokenSource = createTokenSource({ authClient });
  const proxied = createProxiedFetch({ basePath: "/backend", authClient });
  const useBridge = createUseBridge({
    authClient,
    tokenSource: withTokens ? tokenSource : proxied.tokenSource,
  });
  let refetch: () => Promise<unknown> = async () => {};
  const seen: string[] = [];

  function Status() {
    const { refetch: again } = authClient.useSession();
    refetch = again;
    const bridge = useBridge();
    const more = bridge.user?.email ?? ("reason" in bridge && bridge.reason);
    const text = more ? `${bridge.status} ${more}` : bridge.status;
    if (text !== seen.at(-1)) seen.push(text);
    return createElement("p", null, text);
  }
  const tree = (count = 1) =>
    createElement(
      StrictMode,
      null,
      Array.from({ length: count }, (_, index) => createElement(Status, { key: index })),
    );
  const container = page.document.createElement("div") as unknown as HTMLElement;

  return {
    browser,
    network,
    authClient,
    tokenSource,
    useBridge,
    seen,
    container,
    tree,
    mount(count = 1) {
      const root = createRoot(container);
      root.render(tree(count));
      ending.push(() => root.unmount());
      return root;
    },
    /** What Better Auth does when the window gets the focus. */
    refetch: () => refetch(),
    shows: (text: string) => vi.waitFor(() => expect(container.textContent).toBe(text)),
    async signUp(address = email()) {
      await authClient.signUp.email({ email: address, password: PASSWORD, name: "A" });
      return address;
    },
  };
}

describe("who is signed in", () => {
  test("nobody, then somebody, then nobody; a page that calls no API asks for no token before", async () => {
    const { mount, shows, seen, signUp, authClient, tokenSource, network } = openPage();
    mount();
    await shows("signed-out");
    expect(seen).toEqual(["pending", "signed-out"]);
    expect(network.asked).toEqual(["/get-session"]);
    const address = await signUp();
    await shows(`signed-in ${address}`);
    expect((await tokenSource.get()).subject).toBe(tokenSource.state().subject);
    await authClient.signOut();
    await shows("signed-out signed-out");
    await expect(tokenSource.get()).rejects.toThrow(SessionMissingError);
    expect(seen.filter((text) => text.startsWith("signed-in"))).toEqual([`signed-in ${address}`]);
  });

  test("somebody comes after a sign-out, while no component listened: never shown as signed out", async () => {
    const page = openPage();
    const root = page.mount();
    await page.shows("signed-out");
    const address = await page.signUp();
    await page.shows(`signed-in ${address}`);
    await page.authClient.signOut();
    await page.shows("signed-out signed-out");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    root.unmount();
    // Better Auth's session stops listening a second after its last component has gone.
    await vi.advanceTimersByTimeAsync(1000);
    const next = await page.signUp();
    await vi.advanceTimersByTimeAsync(10);
    vi.useRealTimers();
    page.seen.length = 0;
    page.mount();
    await page.shows(`signed-in ${next}`);
    expect(page.seen.filter((text) => text.startsWith("signed-out"))).toEqual([]);
  });

  test("behind a proxy, without a token: the session alone says it", async () => {
    const page = openPage(undefined, false);
    page.mount();
    await page.shows("signed-out");
    const address = await page.signUp();
    await page.shows(`signed-in ${address}`);
    await page.authClient.signOut();
    await page.shows("signed-out signed-out");
    expect(page.seen.filter((text) => text.startsWith("signed-in"))).toEqual([`signed-in ${address}`]);
    // Signed in again in another tab: this page's, too.
    await page.browser.request("/sign-in/email", { email: address, password: PASSWORD });
    await page.refetch();
    await page.shows(`signed-in ${address}`);
  });

  test("behind a proxy another user in another tab does not take the page over, until they say so here", async () => {
    const page = openPage(undefined, false);
    page.mount();
    const first = await page.signUp();
    await page.shows(`signed-in ${first}`);
    const other = email();
    page.browser.jar.clear();
    await page.browser.signUp(other);
    await page.refetch();
    await page.shows("signed-out user-changed");
    expect(page.seen.join()).not.toContain(other);
    await page.refetch();
    await page.shows("signed-out user-changed");
    await page.authClient.signIn.email({ email: other, password: PASSWORD });
    await page.shows(`signed-in ${other}`);
    await page.authClient.signIn.email({ email: first, password: PASSWORD });
    await page.shows(`signed-in ${first}`);
  });

  test("behind a proxy, a sign-in whose session could not be looked at: the page is not the former user's", async () => {
    const page = openPage(undefined, false);
    page.mount();
    const first = await page.signUp();
    await page.shows(`signed-in ${first}`);
    const second = await page.signUp();
    page.network.away = true;
    // Better Auth's signal comes 10 ms later, and finds nobody to ask.
    await vi.waitFor(() => expect(page.authClient.$store.atoms.session?.get().error).toBeTruthy());
    page.network.away = false;
    await page.refetch();
    await page.shows(`signed-in ${second}`);
  });

  test("one user after the other on one page: never as signed out by another", async () => {
    const { mount, shows, seen, signUp, tokenSource } = openPage();
    mount();
    const first = await signUp();
    await shows(`signed-in ${first}`);
    await tokenSource.get();
    const second = await signUp();
    await shows(`signed-in ${second}`);
    expect(seen.join()).not.toContain("user-changed");
    await vi.waitFor(() => expect(tokenSource.state().status).toBe("signed-in"));
  });

  test("the types are those of the app's own user", () => {
    const { useBridge } = openPage();
    type SignedIn = Extract<ReturnType<typeof useBridge>, { status: "signed-in" }>;
    expectTypeOf<SignedIn["user"]["email"]>().toEqualTypeOf<string>();
    expectTypeOf<
      Extract<BridgeStatus<{ id: string }>, { status: "pending" }>["user"]
    >().toEqualTypeOf<null>();
  });
});

describe("the session ends, or becomes another's", () => {
  async function signedIn() {
    const opened = openPage();
    opened.mount();
    const address = await opened.signUp();
    await opened.shows(`signed-in ${address}`);
    const { value } = await opened.tokenSource.get();
    return { ...opened, address, value };
  }

  test("Better Auth finds it ended: the token is dropped at once", async () => {
    const { refetch, shows, tokenSource, network } = await signedIn();
    tables.session.length = 0;
    await refetch();
    await shows("signed-out signed-out");
    network.asked.length = 0;
    await expect(tokenSource.get()).rejects.toThrow(SessionMissingError);
    expect(network.asked).toEqual(["/token"]);
  });

  test("the issuer finds it ended, before Better Auth's client has looked", async () => {
    const { shows, tokenSource, value } = await signedIn();
    tables.session.length = 0;
    await expect(tokenSource.get({ rejected: value })).rejects.toThrow(SessionMissingError);
    await shows("signed-out session-missing");
  });

  test("another user signs in in another tab: this page is not theirs", async () => {
    const { browser, refetch, shows, seen, address, tokenSource, authClient } = await signedIn();
    const other = email();
    browser.jar.clear();
    await browser.signUp(other);
    await refetch();
    await shows("signed-out user-changed");
    expect(seen.slice(-3)).toEqual([`signed-in ${address}`, "pending", "signed-out user-changed"]);
    expect(seen.join()).not.toContain(other);
    await expect(tokenSource.get()).rejects.toThrow("Another user has signed in");
    // Until they say so here.
    await authClient.signIn.email({ email: other, password: PASSWORD });
    await shows(`signed-in ${other}`);
  });

  test("a session that begins in another tab is this page's, too, and is not extended by that", async () => {
    const { browser, network, refetch, shows, address, authClient } = await signedIn();
    await authClient.signOut();
    await shows("signed-out signed-out");
    await browser.request("/sign-in/email", { email: address, password: PASSWORD });
    network.asked.length = 0;
    await refetch();
    await shows(`signed-in ${address}`);
    expect(network.asked).toEqual(["/get-session", "/token?disableRefresh=true"]);
  });

  test("a token that is there before Better Auth's client knows of the session is kept", async () => {
    const { browser, mount, shows, container, refetch, tokenSource } = openPage();
    const root = mount();
    await shows("signed-out");
    await browser.signUp(email());
    const { value } = await tokenSource.get();
    root.unmount();
    mount();
    await shows("signed-out");
    expect((await tokenSource.get()).value).toBe(value);
    await refetch();
    await shows(`signed-in person${people}@example.com`);
    expect((await tokenSource.get()).value).toBe(value);
    expect(container.childElementCount).toBe(1);
  });

  test("Better Auth is away: who was signed in still is, and a new page waits", async () => {
    const { browser, network, refetch, shows, address, container } = await signedIn();
    network.away = true;
    await refetch();
    expect(container.textContent).toBe(`signed-in ${address}`);
    const later = openPage(browser);
    later.network.away = true;
    later.mount();
    await vi.waitFor(() => expect(later.authClient.$store.atoms.session?.get().error).toBeTruthy());
    await later.shows("pending");
    later.network.away = false;
    await later.refetch();
    await later.shows(`signed-in ${address}`);
    await shows(`signed-in ${address}`);
  });
});

describe("React", () => {
  test("the server's page says pending, and hydrates without a difference", async () => {
    const server = openPage();
    // What a source knows on the server is somebody else's.
    await expect(server.tokenSource.get()).rejects.toThrow(SessionMissingError);
    const { browser, container, tree, shows, tokenSource } = openPage();
    await browser.signUp(email());
    await tokenSource.get();
    container.innerHTML = renderToString(server.tree());
    expect(container.textContent).toBe("pending");
    const onRecoverableError = vi.fn();
    const root = hydrateRoot(container, tree(), { onRecoverableError });
    ending.push(() => root.unmount());
    await shows(`signed-in person${people}@example.com`);
    expect(onRecoverableError).not.toHaveBeenCalled();
  });

  test("thirty components never differ", async () => {
    const { mount, container, signUp, authClient, tokenSource } = openPage();
    const differing: string[][] = [];
    const observer = new page.MutationObserver(() => {
      const texts = new Set([...container.children].map(({ textContent }) => textContent ?? ""));
      if (texts.size > 1) differing.push([...texts]);
    });
    observer.observe(container as never, { childList: true, characterData: true, subtree: true });
    mount(30);
    const all = (text: string) => vi.waitFor(() => expect(container.textContent).toBe(text.repeat(30)));
    await all("signed-out");
    const address = await signUp();
    await all(`signed-in ${address}`);
    await tokenSource.get();
    await authClient.signOut();
    await all("signed-out signed-out");
    observer.disconnect();
    expect(differing).toEqual([]);
  });

  test("what is unmounted listens no longer", async () => {
    const { mount, shows, tokenSource } = openPage();
    let listeners = 0;
    const { subscribe } = tokenSource;
    Object.assign(tokenSource, {
      subscribe(listener: () => void) {
        listeners++;
        const end = subscribe(listener);
        return () => {
          listeners--;
          end();
        };
      },
    });
    const root = mount(3);
    await shows("signed-out".repeat(3));
    expect(listeners).toBe(3);
    root.unmount();
    expect(listeners).toBe(0);
  });
});
