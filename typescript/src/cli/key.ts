/**
 * `key`: the derived keys of one API as a JWK Set, for a service that is not to hold the shared secret.
 *
 * With them a service verifies, and could issue, tokens for that API; it can not open Better Auth's cookies, e-mail
 * links or stored ciphertext. Law: `access-token.md` "Keys", RFC 7517 §5.
 */

import { ConfigurationError } from "../errors.js";
import { listKeyIds } from "../jwks.js";
import { deriveKeys, judgeSecrets, keySetOf, type SecretEnvironment, secretsInForce } from "../keys.js";
import { judgeIdentifier } from "../policy.js";
import { type Command, readArguments } from "./command.js";

const HELP = `Print the derived keys of one API as a JWK Set, current first, on one line of standard output.

The secrets are read from the environment, BETTER_AUTH_SECRETS or BETTER_AUTH_SECRET, never from the arguments;
the audience is --audience, else JWT_BRIDGE_AUDIENCE. Give the line to the API in place of the secret:

  JWT_BRIDGE_KEYS='{"keys":[...]}'        the line itself
  JWT_BRIDGE_KEYS=@/run/secrets/keys      a file that holds it

A .env file is loaded by the shell:  set -a; . ./.env; set +a
The exit status is 0, or 2 when a setting is missing or refused.

  --audience URL  the API's identifier; default JWT_BRIDGE_AUDIENCE
`;

export const keyCommand: Command = {
  usage: "usage: jwt-auth-bridge key [--audience URL]",
  summary: "print the derived keys of one API as a JWK Set",
  help: HELP,
  async run(args) {
    const { values } = readArguments(args, ["audience"], 0);
    try {
      const { line, said } = await key(values.audience ?? process.env.JWT_BRIDGE_AUDIENCE, process.env);
      process.stderr.write(`${said}\n`);
      process.stdout.write(`${line}\n`);
      return 0;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return 2;
    }
  },
};

/**
 * Derives the keys of one API.
 *
 * @param audience the API's identifier.
 * @param environment where the shared secrets are.
 * @returns the JWK Set as JSON, and a sentence about it that holds no key.
 * @throws ConfigurationError: no audience, or no secret, or a refused one.
 *
 * @example
 * ```ts
 * const environment = { BETTER_AUTH_SECRET: "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=" };
 * (await key("https://api.example.com", environment)).line.slice(0, 23); // '{"keys":[{"kty":"oct","'
 * ```
 */
export async function key(
  audience: string | undefined,
  environment: SecretEnvironment,
): Promise<{ readonly line: string; readonly said: string }> {
  if (!audience) {
    throw new ConfigurationError(
      "JWT_BRIDGE_AUDIENCE is not set; set it to this API's identifier, or name it with --audience",
    );
  }
  judgeIdentifier(audience, "the audience");
  const secrets = judgeSecrets(secretsInForce(environment), "BETTER_AUTH_SECRETS");
  const derived = await deriveKeys(secrets, audience);
  return {
    line: JSON.stringify(keySetOf(derived)),
    said:
      `Keys for audience ${audience}: ${listKeyIds([...derived.keys()])}. Whoever has them can issue tokens for ` +
      "that API: keep them as a secret.",
  };
}
