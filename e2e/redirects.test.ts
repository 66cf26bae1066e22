/** A redirect to another origin carries no token: asserted at that origin, in a browser and whatever the status. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { openBrowser, type Person, signUp } from "./browser.js";
import { installClient } from "./client.js";

const stack = inject("stack");
const servers: Server[] = [];
let person: Person;
/** What has reached the other origin: method, address, and the token if there is one. */
const caught: { line: string; authorization: string | undefined }[] = [];
let api = "";

/** A server that any page may call, on an origin of its own. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "authorization, content-type");
    response.setHeader("access-control-allow-methods", "GET, PUT");
    if (request.method === "OPTIONS") response.writeHead(204).end();
    else listener(request, response);
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  person = await openBrowser(stack.webUrl);
  await signUp(person);
  const elsewhere = await serve(({ method, url, headers }, response) => {
    caught.push({ line: `${method} ${url}`, authorization: headers.authorization });
    response.end("caught");
  });
  api = await serve(({ url = "", headers }, response) => {
    const status = Number(url.slice(1));
    if (!headers.authorization) response.writeHead(401).end();
    else response.writeHead(status, { location: `${elsewhere}/from-${status}` }).end();
  });
  // The app's own policy would stop these requests as well; without it, the platform alone has to.
  const client = await person.context.newCDPSession(person.page);
  await client.send("Page.setBypassCSP", { enabled: true });
  await person.page.goto("/sign-in");
  await installClient(person.page, api);
});
afterAll(async () => {
  await person?.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

test.each([301, 302, 303, 307, 308])("%d", async (status) => {
  caught.length = 0;
  const text = await person.page.evaluate(async (status) => {
    const { api } = globalThis.bridge;
    const put = await api(`/${status}`, { method: "PUT", body: "x" });
    return [await (await api(`/${status}`)).text(), await put.text()];
  }, status);
  expect(text).toEqual(["caught", "caught"]);
  expect(caught).toHaveLength(2);
  expect(caught.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
});
