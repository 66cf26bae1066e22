// What each server gets in its environment: its settings, its keys, and nothing of the other's or of somebody else's.

import { isPublic } from "./algorithm.mjs";
import { newSecret, readEnv } from "./env-file.mjs";
import { apiEnv, webEnv } from "./repository.mjs";

/** What another project's shell may hold and what must not reach a stack whose settings are given. */
const SETTINGS = [
  "BETTER_AUTH_SECRET",
  "BETTER_AUTH_SECRETS",
  "AUTH_SECRET",
  "BETTER_AUTH_URL",
  "JWT_BRIDGE_ISSUER",
  "JWT_BRIDGE_AUDIENCE",
  "JWT_BRIDGE_LIFETIME",
  "JWT_BRIDGE_ALGORITHM",
  "JWT_BRIDGE_JWKS_URL",
  "JWT_BRIDGE_JWKS_INTERNAL_HOSTS",
  "JWT_BRIDGE_KEYS",
  "JWT_BRIDGE_MIGRATION",
  "API_URL",
  "TODO_API_ACCESS",
  "WEB_ORIGIN",
  "DATABASE_URL",
  "API_DATABASE_URL",
];

/** Empty means unset to both sides; unset would let Next.js take the one of its `.env` file. */
const SECRETS = { BETTER_AUTH_SECRET: "", BETTER_AUTH_SECRETS: "" };

/** Both environments. The person's own environment wins over the files, computed values fill the rest. */
export function settingsOf({
  temporary,
  webPort,
  apiPort,
  databaseUrl,
  apiDatabaseUrl,
  secrets,
  algorithm: wanted,
  webEnv: moreWeb,
  apiEnv: moreApi,
}) {
  const base = ownEnvironment();
  const person = temporary ? {} : pick(process.env, SETTINGS);
  const shared = {
    BETTER_AUTH_URL: `http://localhost:${webPort}`,
    JWT_BRIDGE_AUDIENCE: `http://localhost:${apiPort}`,
    NO_COLOR: "1",
  };
  const drawn = { ...SECRETS, ...(secrets ?? { BETTER_AUTH_SECRET: newSecret() }) };
  const given = pick(person, Object.keys(SECRETS));
  const own =
    temporary || secrets ? drawn : Object.keys(given).length > 0 ? { ...SECRETS, ...given } : undefined;
  const sideOf = (file, computed) => ({
    ...base,
    ...shared,
    ...computed,
    ...(temporary ? {} : readEnv(file)),
    ...person,
    ...own,
  });
  const webSide = sideOf(webEnv, {
    API_URL: `http://localhost:${apiPort}`,
    NODE_ENV: "production",
    NEXT_TELEMETRY_DISABLED: "1",
  });
  const apiSide = sideOf(apiEnv, { WEB_ORIGIN: `http://localhost:${webPort}`, PYTHONUNBUFFERED: "1" });
  const algorithm = wanted ?? (webSide.JWT_BRIDGE_ALGORITHM || "HS256");
  // Also where nothing is wanted: what is set, Next.js does not take from a `.env` file.
  if (wanted !== undefined || temporary) webSide.JWT_BRIDGE_ALGORITHM = wanted ?? "";
  if (temporary) webSide.TODO_API_ACCESS = "";
  if (wanted === "HS256" && !apiSide.JWT_BRIDGE_MIGRATION) delete apiSide.JWT_BRIDGE_JWKS_URL;
  giveKeys(apiSide, algorithm, jwksUrlOf(webPort));
  Object.assign(webSide, { DATABASE_URL: databaseUrl }, moreWeb);
  Object.assign(apiSide, { API_DATABASE_URL: apiDatabaseUrl }, moreApi);
  delete webSide.API_DATABASE_URL; // neither side holds the other's way into the database
  delete apiSide.DATABASE_URL;
  return {
    web: webSide,
    api: apiSide,
    algorithm,
    secrets: pick(webSide, Object.keys(SECRETS)),
  };
}

/** Where the web app publishes its public keys. */
export const jwksUrlOf = (webPort) => `http://localhost:${webPort}/api/auth/jwks`;

/**
 * Leaves in the API's environment what verifies that algorithm: the secret that is there, or the address of the public
 * keys. An API that moves from one to the other (JWT_BRIDGE_MIGRATION) needs both.
 */
function giveKeys(env, algorithm, jwksUrl) {
  if (isPublic(algorithm) || env.JWT_BRIDGE_MIGRATION) env.JWT_BRIDGE_JWKS_URL ||= jwksUrl;
  if (isPublic(algorithm) && !env.JWT_BRIDGE_MIGRATION)
    for (const name of [...Object.keys(SECRETS), "JWT_BRIDGE_KEYS"]) delete env[name];
}

/**
 * What a test runner sets, and what must not reach a server under test: Better Auth switches its check of the Origin
 * off where TEST is set.
 */
const RUNNER = /^(TEST|VITEST.*|BASE_URL|MODE|DEV|PROD|SSR|NODE_ENV|NODE_OPTIONS)$/;

/** The environment without settings of ours, without what bends Python, and without what a test runner sets. */
export function ownEnvironment() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (RUNNER.test(name)) delete env[name];
  for (const name of [...SETTINGS, "PYTHONHOME", "PYTHONPATH"]) delete env[name];
  return env;
}

function pick(values, names) {
  return Object.fromEntries(names.filter((name) => values[name]).map((name) => [name, values[name]]));
}
