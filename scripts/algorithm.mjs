// `--algorithm` of `npm start` and `npm run walk`: how tokens are signed, and with that what the API is given to verify
// them: the shared secret for HS256, the address of the issuer's public keys for the others ("JWKS mode").

import { misuse } from "./say.mjs";

export const ALGORITHMS = ["HS256", "EdDSA", "ES256", "RS256"];

/** True where tokens are signed with the issuer's own key pairs, so that the API needs no secret. */
export const isPublic = (algorithm) => algorithm !== undefined && algorithm !== "HS256";

/**
 * The algorithm that the arguments name, or undefined where they name none.
 *
 * @param {string} name of the command, for sentences: "npm start".
 * @throws {Stop} with exit code 2 for an unknown value, and for any other argument.
 */
export function algorithmOf(args, name) {
  const words = args.flatMap((word) => (word.startsWith("--algorithm=") ? splitAtSign(word) : [word]));
  let algorithm;
  for (let at = 0; at < words.length; at += 2) {
    const [word, value] = words.slice(at, at + 2);
    const help = `see ${name} -- --help.`;
    if (word !== "--algorithm") throw misuse(`${name} takes no argument ${word}: ${help}`);
    if (algorithm !== undefined) throw misuse("--algorithm is given twice: give it once.");
    if (!ALGORITHMS.includes(value)) {
      const found = value ? `is "${value}", which is not known here` : "names none";
      throw misuse(`--algorithm ${found}: choose ${ALGORITHMS.join(", ")}, for instance --algorithm EdDSA.`);
    }
    algorithm = value;
  }
  return algorithm;
}

const splitAtSign = (word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)];
