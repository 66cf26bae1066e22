// `npm run types`: the web app's types of the API, from what FastAPI says of itself.

import fs from "node:fs";
import path from "node:path";
import { apiTypes, makeApiTypes } from "../api-types.mjs";
import { root } from "../repository.mjs";
import { command } from "../run.mjs";
import { misuse, Stop, say } from "../say.mjs";
import { setUp } from "../setup.mjs";

const HELP = `npm run types: writes the types of the example's API, from FastAPI's OpenAPI document, into the web app.

  npm run types -- --check    writes nothing; fails where the file is not what the API says
`;

await command(async ({ signal }) => {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    say(HELP);
    return 0;
  }
  const check = args.includes("--check");
  const unknown = args.find((argument) => argument !== "--check");
  if (unknown) throw misuse(`There is no option ${unknown}: npm run types -- --help says what there is.`);

  await setUp({ signal, secrets: false, web: false });
  const types = await makeApiTypes({ signal });
  const file = path.relative(root, apiTypes);
  const known = fs.existsSync(apiTypes) ? fs.readFileSync(apiTypes, "utf8") : "";
  if (known === types) {
    say(`${file} is what the API says.`);
    return 0;
  }
  if (check) throw new Stop(`${file} is not what the API says: run npm run types.`);
  fs.writeFileSync(apiTypes, types);
  say(`${file} is written.`);
  return 0;
});
