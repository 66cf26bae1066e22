// The numbers of `npm test` come from reports: none is lost, and a suite that broke is not a suite that passed.

import { expect, test } from "vitest";
import { junitCounts, lanesOf, selectSuites, vitestCounts } from "../suites.mjs";
import { systemSuites } from "../system-suites.mjs";

test("pytest's report", () => {
  const xml =
    '<?xml version="1.0"?><testsuites name="x"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1">';
  expect(junitCounts(xml)).toEqual({ passed: 4, failed: 3, skipped: 3 });
});

test("vitest's report, with a file that broke before its tests", () => {
  const report = {
    numPassedTests: 5,
    numFailedTests: 1,
    numPendingTests: 1,
    numTodoTests: 1,
    testResults: [
      { status: "failed", assertionResults: [{ status: "failed" }] },
      { status: "failed", assertionResults: [] },
      { status: "passed", assertionResults: [{ status: "passed" }] },
    ],
  };
  expect(vitestCounts(JSON.stringify(report))).toEqual({ passed: 5, failed: 2, skipped: 2 });
});

test("suites by name and by the beginning of a name", () => {
  const names = (...args) => selectSuites(args).chosen.map(({ name }) => name);
  expect(names()).toEqual([
    "scripts",
    "typescript",
    "python",
    "python-fastapi-0.115",
    "python-fastapi-0.136",
    "python-sqlalchemy-2.0",
    "differential",
    "api",
    "e2e",
  ]);
  expect(names("python-fastapi")).toEqual(["python-fastapi-0.115", "python-fastapi-0.136"]);
  expect(names("e2e", "typescript")).toEqual(["typescript", "e2e"]);
  expect(selectSuites(["pyhton"]).unknown).toEqual(["pyhton"]);
});

test("two lanes, in which every suite runs once and in its order", () => {
  const lanes = lanesOf(selectSuites([]).chosen).map((lane) => lane.map(({ name }) => name));
  const older = ["python-fastapi-0.115", "python-fastapi-0.136", "python-sqlalchemy-2.0"];
  expect(lanes).toEqual([
    ["scripts", "typescript", "e2e"],
    ["python", ...older, "differential", "api"],
  ]);
  expect(lanesOf(selectSuites(["e2e"]).chosen)).toHaveLength(1);
});

test("the system suites", () => {
  const others = ["pgbouncer", "redis", "next-15", "react-18"];
  expect(systemSuites().map(({ name }) => name)).toEqual(["go", "java", "ruby", ...others]);
  expect(selectSuites(["pgb"], systemSuites()).chosen.map(({ name }) => name)).toEqual(["pgbouncer"]);
});
