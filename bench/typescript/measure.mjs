// Medians of interleaved rounds: every contender runs in every round, so that a slow moment slows them all.

/**
 * Measures contenders against each other.
 *
 * @param {Record<string, () => unknown>} contenders name to what is run; promises are awaited.
 * @param {{ rounds?: number, milliseconds?: number }} options how many turns each has, and how long one lasts, about.
 * @returns {Promise<Record<string, number>>} name to the median time of one run, in microseconds.
 */
export async function compare(contenders, { rounds = 25, milliseconds = 20 } = {}) {
  const entries = Object.entries(contenders);
  const repeats = new Map();
  // Twice: the first turn is the compiler's.
  for (const [name, run] of [...entries, ...entries]) repeats.set(name, await calibrate(run, milliseconds));
  const turns = new Map(entries.map(([name]) => [name, []]));
  for (let number = 0; number < rounds; number += 1) {
    for (const [name, run] of number % 2 ? [...entries].reverse() : entries) {
      const count = repeats.get(name);
      const began = process.hrtime.bigint();
      for (let at = 0; at < count; at += 1) await run();
      turns.get(name).push(Number(process.hrtime.bigint() - began) / count / 1000);
    }
  }
  return Object.fromEntries([...turns].map(([name, values]) => [name, median(values)]));
}

async function calibrate(run, milliseconds) {
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < milliseconds) {
    await run();
    count += 1;
  }
  return Math.max(1, count);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
