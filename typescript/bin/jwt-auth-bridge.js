#!/usr/bin/env node
// A file of its own, because it is there before the build and keeps its execute bit.
import "../dist/cli/main.js";
