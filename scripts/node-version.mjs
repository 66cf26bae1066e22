// The first import of every command, in words that an old Node understands: it says what is missing instead of failing
// on syntax that it does not know. The commands import the rest afterwards, with `import()`.

/** The sentence for a Node that is too old, or "" for one that will do. Node >= 20.9 is what package.json asks for. */
export function nodeProblem(version) {
  const parts = version.split(".");
  const major = Number(parts[0]);
  if (major > 20 || (major === 20 && Number(parts[1]) >= 9)) return "";
  return `Node ${version} is too old: Node 20.9 or newer is needed; install it (https://nodejs.org) and try again.`;
}

const problem = nodeProblem(process.versions.node);
if (problem !== "") {
  process.stderr.write(`Stopped: ${problem}\n`);
  process.exit(1);
}
