// Preloaded into the web app's process (node --import): its time is the machine's plus what the file says, in milliseconds.
import { readFileSync } from "node:fs";

const real = Date.now;
Date.now = () => real() + Number(readFileSync(process.env.E2E_CLOCK, "utf8"));

// The same class, so that what is made elsewhere is still an instance of it.
globalThis.Date = new Proxy(Date, {
  construct: (target, parts, asked) =>
    Reflect.construct(target, parts.length === 0 ? [target.now()] : parts, asked),
});
