// npm run types. The check of Node's version comes first; the rest is imported after it.
import "./node-version.mjs";

import("./commands/types.mjs");
