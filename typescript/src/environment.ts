/**
 * The environment variables that all parts of a deployment share, in; what a verifier needs of them, out.
 *
 * Python's twin is `Bridge.from_env`. Law: `access-token.md` "Secrets in force" and "Issuer".
 */

import { ConfigurationError } from "./errors.js";
import { reduceIssuer, type SecretEnvironment, secretsInForce } from "./keys.js";

/** The variables that are read; `process.env` is one such object. */
export interface Environment extends SecretEnvironment {
  readonly BETTER_AUTH_URL?: string | undefined;
  readonly JWT_BRIDGE_ISSUER?: string | undefined;
  readonly JWT_BRIDGE_AUDIENCE?: string | undefined;
}

/** Options of a verifier, as far as the environment gives them. */
export interface EnvironmentOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly secrets: readonly string[];
}

/**
 * Reads issuer, audience and secrets from the environment.
 *
 * `BETTER_AUTH_SECRETS` where set, else `BETTER_AUTH_SECRET`; `JWT_BRIDGE_ISSUER`, taken literally, where set, else
 * `BETTER_AUTH_URL`, reduced to its origin; `JWT_BRIDGE_AUDIENCE`.
 *
 * @param environment the variables, `process.env` as a rule: passed, because not every platform has it.
 * @throws ConfigurationError with the variable's name and the cure, never its value.
 *
 * @example
 * ```ts
 * const options = fromEnvironment({
 *   BETTER_AUTH_SECRET: "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
 *   BETTER_AUTH_URL: "https://app.example.com/",
 *   JWT_BRIDGE_AUDIENCE: "https://api.example.com",
 * });
 * options.issuer; // "https://app.example.com"
 * ```
 */
export function fromEnvironment(environment: Environment): EnvironmentOptions {
  const secrets = secretsInForce(environment);
  const audience = environment.JWT_BRIDGE_AUDIENCE;
  if (!audience) {
    throw new ConfigurationError(
      "JWT_BRIDGE_AUDIENCE is not set; set it to this API's identifier, as on the issuing side",
    );
  }
  const issuer = environment.JWT_BRIDGE_ISSUER || reduceIssuer(environment.BETTER_AUTH_URL);
  return { issuer, audience, secrets };
}
