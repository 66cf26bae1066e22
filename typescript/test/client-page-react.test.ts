/** The React of docs/client.md, executed as it stands, in a page of happy-dom. */

import { Window } from "happy-dom";
import { afterAll, expect, it, vi } from "vitest";
import { page, runBlocks, START, signUp } from "./client-pages.js";
import { WEB } from "./pages.js";

// For as long as the process lives: timers of Better Auth and SWR look for them after a test.
const window = new Window({ url: WEB });
const { document, navigator } = window;
for (const [name, value] of Object.entries({ window, document, navigator, IS_REACT_ACT_ENVIRONMENT: true }))
  Object.defineProperty(globalThis, name, { value, configurable: true });
afterAll(() => window.happyDOM.close());

runBlocks();

/** Shows a component until `use` is done with its text. */
async function shown(component: () => unknown, use: (text: () => string) => Promise<void>) {
  // Loaded here: React looks for a window when it is loaded.
  const { act, createElement } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const element = window.document.createElement("div");
  const root = createRoot(element as unknown as Element);
  await act(async () => root.render(createElement(component as () => null)));
  await act(() => use(() => element.textContent));
  await act(async () => root.unmount());
}

it("docs/start.md's page to try it", async () => {
  const app = await page(["lib/api.ts", "app/try/page.tsx"], undefined, undefined, START);
  const { createElement } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const element = window.document.createElement("div");
  const root = createRoot(element as unknown as Element);
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", false); // as in a page: React shows what is new when it likes
  root.render(createElement(app.default as () => null));
  for (const [name, said] of [
    ["Call", "SessionMissingError: "],
    ["Sign up", "Done"],
    ["Call", '200 ["a task of '],
    ["Sign out", "Done"],
    ["Call", "SessionMissingError: "],
    ["Sign in", "Done"],
    ["Call", '200 ["a task of '],
  ] as const) {
    await vi.waitFor(() => expect(element.querySelectorAll("button")).toHaveLength(4));
    const click = () =>
      [...element.querySelectorAll("button")].find(({ textContent }) => textContent === name)?.click();
    click();
    await vi.waitFor(() => {
      // A person is slower than the 10 ms after which Better Auth tells of a sign-in or sign-out.
      if (name === "Call" && !element.textContent?.includes(said)) click();
      expect(element.textContent).toContain(said);
    }, 5000);
  }
  root.unmount();
});

it("SWR", async () => {
  const app = await page(["lib/api.ts", "components/tasks.tsx"]);
  const id = await signUp(app);
  await shown(app.Tasks, async (text) => {
    await vi.waitFor(() => expect(text()).toBe(`a task of ${id}`));
  });
});

it("useBridge", async () => {
  const app = await page(["lib/api.ts", "lib/use-bridge.ts", "components/account.tsx"]);
  await signUp(app);
  await app.tokenSource.get();
  await shown(app.Account, async (text) => {
    await vi.waitFor(() => expect(text()).toBe("Alice"));
    await app.authClient.signOut();
    await vi.waitFor(() => expect(text()).toBe("Sign in (signed-out)"));
  });
});
