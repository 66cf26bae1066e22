// npm run test:system. The check of Node's version comes first; the rest is imported after it.
import "./node-version.mjs";

import("./commands/test-system.mjs");
