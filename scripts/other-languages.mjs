// The verifiers in other languages (examples/other-languages): each is built, and asked every vector of access tokens.

import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { installPackages } from "./debian.mjs";
import { cache, inRoot } from "./repository.mjs";
import { runProgram } from "./run.mjs";
import { red, Stop, say } from "./say.mjs";
import { hashOf, stamped } from "./stamp.mjs";
import { judge, questionsFor } from "./vector-questions.mjs";

const folderOf = (name) => inRoot("examples", "other-languages", name);
const builtOf = (name) => path.join(cache, "other-languages", name);
const vectorFile = inRoot("specs", "001-jwt-auth-bridge", "vectors", "access-token.json");
const OFFLINE =
  /dial tcp|no such host|could not (?:transfer|resolve)|Connection (?:refused|reset)|timed? ?out/i;

/** A sentence for the one failure of a build that is known; undefined for the others. */
const offline = (output, sentence) => (OFFLINE.test(output) ? sentence : undefined);

/** `prepare` installs what is missing, where it may, builds the program, and answers [command, ...arguments]. */
const LANGUAGES = [
  {
    name: "go",
    what: "Go, golang-jwt",
    algorithms: ["HS256", "EdDSA", "ES256", "RS256"],
    prepare: prepareGo,
  },
  {
    name: "java",
    what: "Java, Nimbus JOSE+JWT",
    algorithms: ["HS256", "EdDSA", "ES256", "RS256"],
    prepare: prepareJava,
  },
  { name: "ruby", what: "Ruby, the gem jwt", algorithms: ["HS256", "ES256", "RS256"], prepare: prepareRuby },
];

/** One system suite for each language. */
export function languageSuites() {
  return LANGUAGES.map((language) => ({
    name: language.name,
    what: `the vectors in ${language.what}`,
    run: ({ signal }) => askEverything(language, signal),
  }));
}

async function askEverything({ name, algorithms, prepare }, signal) {
  const vectors = JSON.parse(fs.readFileSync(vectorFile, "utf8"));
  const { differences } = JSON.parse(fs.readFileSync(path.join(folderOf(name), "differences.json"), "utf8"));
  const { groups, left } = questionsFor(vectors, algorithms);
  const command = await prepare(signal);
  const tests = groups.flatMap((group) => group.tests);
  const answers = [];
  for (const group of groups) answers.push(...(await ask(command, group, signal)));
  const verdict = judge(tests, answers, differences);
  show(name, tests.length, verdict, left);
  return { passed: verdict.passed, failed: verdict.failures.length };
}

function show(name, asked, { passed, failures, known, gone }, left) {
  say(`  ${passed} of ${asked} tokens are judged as the contract does. Left out: ${counts(left)}.`);
  for (const [why, tests] of known) {
    const rules = [...new Set(tests.map((test) => test.rule))].join(", ");
    if (tests.length > 0) say(`  ${String(tests.length).padStart(5)}  taken, refused by ${rules}: ${why}`);
  }
  const list = `examples/other-languages/${name}/differences.json`;
  if (gone.length > 0)
    say(`  Judged as the contract does now: take them out of ${list}: ${gone.join(", ")}.`);
  for (const failure of failures) say(`  ${red("✗")} ${failure}`);
}

/** "2 good, and signed with EdDSA; 1 bytes that are no text". */
function counts(left) {
  const by = new Map();
  for (const { why } of left) by.set(why, (by.get(why) ?? 0) + 1);
  return [...by].map(([why, count]) => `${count} (${why})`).join(", ") || "none";
}

/** Runs the program under one policy: its answers, as many as there are questions. */
async function ask([program, ...args], { environment, lines, tests }, signal) {
  const child = spawn(program, args, { env: { ...process.env, ...environment }, signal, stdio: "pipe" });
  const printed = Promise.all([text(child.stdout), text(child.stderr)]);
  const code = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  child.stdin.on("error", () => {}); // it ended before it read everything: its exit code says so
  child.stdin.end(lines.map((line) => `${line}\n`).join(""));
  const [ended, [output, complaints]] = await Promise.all([code, printed]);
  const answers = output.split("\n").filter((line) => line !== "");
  if (ended === 0 && answers.length === lines.length) return answers.map((line) => JSON.parse(line));
  throw new Stop(
    `The program answered ${answers.length} of ${lines.length} tokens and ended with ${ended}; the next is ${tests[answers.length]?.id}.`,
    complaints,
  );
}

async function text(stream) {
  stream.setEncoding("utf8");
  let whole = "";
  for await (const piece of stream) whole += piece;
  return whole;
}

async function prepareGo(signal) {
  const enough = () => {
    const version = versionOf("go", ["env", "GOVERSION"], /^go(\d+)\.(\d+)/);
    return version && (version[0] > 1 || version[1] >= 19) ? version : undefined;
  };
  const need = "The program in Go needs Go 1.19 or newer";
  if (!enough()) {
    const cure = "install it, and put it into PATH";
    await installPackages({ names: ["golang-go"], what: "Go", need, cure, signal });
    if (!enough()) throw new Stop(`${need}, and what Debian installed is older: ${cure}.`);
  }
  const version = enough();
  const program = path.join(builtOf("go"), "verify");
  await stamped("other-languages-go", hashOf([folderOf("go")], version.join(".")), [program], () =>
    runProgram("Building the program in Go", "go", ["build", "-o", program, "."], {
      cwd: folderOf("go"),
      signal,
      failure: (output) =>
        offline(output, "The module golang-jwt could not be fetched: check the connection, or GOPROXY."),
    }),
  );
  return [program];
}

async function prepareJava(signal) {
  const enough = () =>
    (versionOf("javac", ["-version"], /(\d+)/)?.[0] ?? 0) >= 17 && versionOf("mvn", ["-v"]);
  const need = "The program in Java needs a JDK, 17 or newer, and Maven";
  if (!enough()) {
    const names = ["default-jdk-headless", "maven"];
    await installPackages({
      names,
      what: "JDK with Maven",
      need,
      cure: "install both, and put them into PATH",
      signal,
    });
    if (!enough()) throw new Stop(`${need}, and what Debian installed is older: install both.`);
  }
  // Maven writes beside its pom.xml: it works on a copy.
  const built = builtOf("java");
  const target = path.join(built, "target");
  const sources = ["pom.xml", "Verify.java"].map((file) => path.join(folderOf("java"), file));
  await stamped("other-languages-java", hashOf(sources), [target], async () => {
    fs.rmSync(built, { recursive: true, force: true });
    fs.mkdirSync(built, { recursive: true });
    for (const source of sources) fs.copyFileSync(source, path.join(built, path.basename(source)));
    await runProgram(
      "Building the program in Java",
      "mvn",
      ["-q", "-B", "compile", "dependency:copy-dependencies"],
      {
        cwd: built,
        signal,
        failure: (output) =>
          offline(output, "Maven could not fetch what the program in Java needs: check the connection."),
      },
    );
  });
  const jars = path.join(target, "dependency", "*");
  return ["java", "-cp", [path.join(target, "classes"), jars].join(path.delimiter), "Verify"];
}

async function prepareRuby(signal) {
  const enough = () => versionOf("ruby", ["-rjwt", "-e", "puts JWT.gem_version"]) !== undefined;
  const need = "The program in Ruby needs Ruby and the gem jwt";
  if (!enough()) {
    const names = ["ruby", "ruby-jwt"];
    await installPackages({
      names,
      what: "Ruby with the gem jwt",
      need,
      cure: "install Ruby, then: gem install jwt",
      signal,
    });
    if (!enough()) throw new Stop(`${need}, and the ruby of PATH has none: run: gem install jwt.`);
  }
  return ["ruby", path.join(folderOf("ruby"), "verify.rb")];
}

/** The numbers of a version, as a program prints them; undefined where it does not run. */
function versionOf(command, args, pattern = /(\d+)/) {
  const asked = spawnSync(command, args, { encoding: "utf8", timeout: 60_000 });
  const found = asked.status === 0 ? pattern.exec(`${asked.stdout}${asked.stderr}`) : null;
  return found?.slice(1).map(Number);
}
