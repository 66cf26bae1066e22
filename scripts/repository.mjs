// Where things are in this repository. Every other script asks here.

import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
export const inRoot = (...parts) => path.join(root, ...parts);

/** Ignored by git: what can be made again, and what must be kept. */
export const cache = inRoot(".cache");
export const web = inRoot("examples", "todo", "web");
export const api = inRoot("examples", "todo", "api");
export const webEnv = path.join(web, ".env");
export const apiEnv = path.join(api, ".env");

/** The program of a package in node_modules, for `node <program>`: no shell, no npx. */
export const program = (...parts) => inRoot("node_modules", ...parts);
