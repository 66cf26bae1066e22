// How figures of `npm run bench` become Markdown: microseconds, ratios, tables.

export const us = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));
export const ratio = (value) => value.toFixed(2);
/** A count as it is, anything else as a ratio. */
export const shown = (value) => (Number.isInteger(value) ? String(value) : ratio(value));

/** One Markdown table; the first column is text, the others are numbers. */
export function table(head, rows) {
  const lines = [head, head.map((_, at) => (at === 0 ? "---" : "---:")), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** A heading and a table of times, each beside its ratio to one of them, the first unless told otherwise. */
export function section(title, times, base = Object.keys(times)[0]) {
  const rows = Object.entries(times).map(([name, value]) => [name, us(value), ratio(value / times[base])]);
  return ["", `## ${title}`, "", table(["", "µs", `/ ${base}`], rows)];
}
