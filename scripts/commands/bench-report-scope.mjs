// The part of `npm run bench`'s report about the two walls around the rows: the query scope and row-level security.

import { ratio, table, us } from "./bench-table.mjs";

const HAND = "hand-written where";
const MOST = 1.15;
/** Runs without an own column: what a statement that reads no table takes. */
const STATEMENTS = /^(set_config|SELECT 1),/;
const WHOLE = /^a whole transaction/;

const queries = (times) => Object.entries(times).filter(([name]) => !STATEMENTS.test(name));

/** The scope and RLS, each beside the hand-written query in an open transaction. */
export function scopeTargets({ ratios }) {
  return ["scope", "RLS under the where"].flatMap((way) =>
    queries(ratios)
      .filter(([name]) => !WHOLE.test(name))
      .map(([name, each]) => [`${way} / ${HAND}: ${name}`, each[way], MOST]),
  );
}

export function scopeTables({ times, ratios, plans, "sequential scans": scans }) {
  const runs = queries(times);
  const statement = (name) => {
    const [, each] = Object.entries(times).find(([run]) => run.startsWith(`${name},`));
    return each[HAND];
  };
  return [
    "",
    "## The query scope and row-level security, per query",
    "",
    "SQLAlchemy's AsyncSession over asyncpg, PostgreSQL on loopback, ten rows of each user; a role that bypasses",
    "row-level security meets none, so that one table does for all. Each way is a process of its own, and imports the",
    "module only where it says so or has a scope. Measured within an open transaction, but for the last column: a new",
    "session, BEGIN, set_config where there is a scope or RLS, the query, the end of the transaction. In brackets: the",
    `median ratio to the ${HAND} of the same round.`,
    "",
    table(
      ["µs", ...runs.map(([name]) => name)],
      Object.keys(runs[0][1]).map((way) => [
        way,
        ...runs.map(([name, each]) => `${us(each[way])} (${ratio(ratios[name][way])})`),
      ]),
    ),
    "",
    `The round trip of set_config on its own: ${us(statement("set_config"))} µs, once in a transaction; one of SELECT 1:`,
    `${us(statement("SELECT 1"))} µs. Every plan uses an index: ${[...new Set(Object.values(plans).flat())].join(", ")};`,
    `tables read from one end to the other while measuring: ${scans}.`,
  ];
}
