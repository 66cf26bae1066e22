// The test suites: what each is called, what it runs, and how its report becomes numbers. Reports are read, never prose.

import fs from "node:fs";
import path from "node:path";
import { installRequirements, python } from "./python.mjs";
import { api, cache, inRoot, program } from "./repository.mjs";
import { hashOf, stamped } from "./stamp.mjs";

/** Where suites write their reports. */
const reports = path.join(cache, "reports");
/** The older versions that what stands on them is tested on too; the newest ones are in dev.txt. */
const OLDER = [
  ...["0.115", "0.136"].map((version) => ({
    name: `fastapi-${version}`,
    what: `the annex for FastAPI on ${version}`,
    tests: ["tests/fastapi", "tests/testing/test_acting.py", "tests/sqlalchemy/test_scope_dependency.py"],
  })),
  {
    name: "sqlalchemy-2.0",
    what: "the annex for SQLAlchemy and the tickets in PostgreSQL on 2.0, with SQLModel",
    tests: ["tests/sqlalchemy", "tests/tickets/test_ticket_stores.py"],
  },
];

/**
 * Every suite, in the order of running: { name, what, lane, cwd, needs: ("postgres" | "chromium")[], prepare?, command,
 * args, env, read }. `read()` answers { passed, failed, skipped } from the report, or undefined where there is none.
 */
export function allSuites() {
  return [
    vitest("scripts", "the set-up and start scripts", inRoot("scripts")),
    vitest("typescript", "the npm package", inRoot("typescript")),
    pytest("python", "the Python package, on the newest FastAPI and SQLAlchemy", inRoot("python")),
    ...OLDER.map(onOlder),
    pytest("differential", "both verifiers against each other", inRoot("e2e", "differential")),
    { ...pytest("api", "the example's API", api), needs: ["postgres"] },
    { ...vitest("e2e", "the whole walk, in a browser", inRoot("e2e")), needs: ["chromium"] },
  ];
}

/** The suites that the arguments name; a name stands for all that begin with it. */
export function selectSuites(names, suites = allSuites()) {
  const unknown = names.filter((name) => !suites.some((suite) => suite.name.startsWith(name)));
  return {
    unknown,
    chosen: suites.filter((suite) => names.length === 0 || names.some((name) => suite.name.startsWith(name))),
  };
}

/**
 * Which suites run one after the other, beside which others: a lane for each runner, of two cores. They take about as
 * long as each other.
 */
export function lanesOf(suites) {
  const lanes = new Set(suites.map(({ lane }) => lane));
  return [...lanes].map((lane) => suites.filter((suite) => suite.lane === lane));
}

function vitest(name, what, cwd) {
  const report = path.join(reports, `${name}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  return {
    name,
    what,
    lane: "vitest",
    cwd,
    report,
    command: process.execPath,
    args: [program("vitest", "vitest.mjs"), "run", ...reporters],
    env: {},
    read: () => vitestCounts(fs.readFileSync(report, "utf8")),
  };
}

function pytest(name, what, cwd) {
  const report = path.join(reports, `${name}.xml`);
  return {
    name,
    what,
    lane: "pytest",
    cwd,
    report,
    command: python,
    args: ["-m", "pytest", "-q", `--junitxml=${report}`],
    env: {},
    read: () => junitCounts(fs.readFileSync(report, "utf8")),
  };
}

/** Some of the package's tests once more, with older packages laid over the installed ones. */
function onOlder({ name, what, tests }) {
  const requirements = inRoot("python", "requirements", `${name}.txt`);
  const overlay = path.join(cache, name);
  const suite = pytest(`python-${name}`, what, inRoot("python"));
  return {
    ...suite,
    args: [...suite.args, ...tests],
    env: { PYTHONPATH: overlay },
    prepare: ({ signal }) =>
      stamped(name, hashOf([requirements, python]), [overlay], async () => {
        fs.rmSync(overlay, { recursive: true, force: true });
        await installRequirements(requirements, ["--target", overlay, "--no-deps"], { signal });
      }),
  };
}

/** Vitest's JSON report in numbers. */
export function vitestCounts(text) {
  const report = JSON.parse(text);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.testResults.filter(brokenFile).length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** A file that failed before or beside its tests: none of them says so. */
function brokenFile(file) {
  return file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed");
}

/** pytest's JUnit report in numbers. A collection error is a test that failed. */
export function junitCounts(text) {
  const suite = /<testsuite\b[^>]*>/.exec(text)?.[0] ?? "";
  const of = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = of("failures") + of("errors");
  return { passed: of("tests") - failed - of("skipped"), failed, skipped: of("skipped") };
}
