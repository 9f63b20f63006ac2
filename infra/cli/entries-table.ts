import { table } from "./command";
import type { LogEntry } from "./log-entries";

/** Width of a terminal in characters. */
const WIDTH = 80;

const COLUMNS = [
  "service",
  "event",
  "messageId",
  "mergedInto",
  "attempt",
  "status",
  "code",
  "experiments",
  "retryInSeconds",
  "reason",
] as const;
type Column = "time" | (typeof COLUMNS)[number];
type Row = Record<Column, string>;

/** Titles that are narrower than the fields' names. */
const TITLES: Partial<Record<Column, string>> = { retryInSeconds: "retry s" };

/**
 * A table without empty columns. If it is wider than a terminal, values that all rows share are printed once above it. If it is still too
 * wide, reasons, which are long, are printed below it. Remedies are always printed below it.
 */
export function entriesTable(entries: readonly LogEntry[]): string {
  const rows = entries.map(toRow);
  const above: string[] = [];
  const below: string[] = [];
  let columns = (["time", ...COLUMNS] as const).filter((column) => rows.some((row) => row[column] !== ""));
  const show = () => render(columns, rows, above);
  const narrower: readonly (() => void)[] = [
    () => {
      columns = columns.filter(
        (column) => column !== "reason" || !rows.every(({ reason, status }) => saysStatus(reason, status)),
      );
    },
    () => {
      const date = sharedStart(
        rows.map(({ time }) => time),
        /^\d{4}-\d\d-\d\d /,
      );
      if (date !== "") above.push(`on ${date.trim()}, UTC`);
      for (const row of rows) row.time = row.time.slice(date.length);
    },
    () => {
      columns = columns.filter(
        (column) => !(column === "messageId" || column === "mergedInto") || !isShared(rows, column, above),
      );
    },
    () => {
      const start = sharedStart(
        rows.map(({ messageId }) => messageId).filter((id) => id !== ""),
        /^.*[-/]/,
      );
      if (start === "" || !columns.includes("messageId")) return;
      above.push(`messageIds begin with ${start}`);
      for (const row of rows) row.messageId = row.messageId.slice(start.length);
    },
    () => {
      for (const { time, reason } of rows) if (reason !== "") below.push(`${time} ${reason}`);
      columns = columns.filter((column) => column !== "reason");
    },
  ];
  for (const step of narrower) {
    if (widthOf(show()) <= WIDTH) break;
    step();
  }
  const remedies = new Set(
    entries.flatMap(({ fields: { remedy } }) => (typeof remedy === "string" ? [`remedy: ${remedy}`] : [])),
  );
  return [show(), ...below, ...remedies].join("\n");
}

function toRow({ at, fields }: LogEntry): Row {
  const textOf = (name: string) => (fields[name] === undefined ? "" : String(fields[name]));
  const [date = "", time = ""] = new Date(at).toISOString().split(/[TZ]/);
  const cells = COLUMNS.map((name) => [name, textOf(name)]);
  return { time: `${date} ${time}`, ...Object.fromEntries(cells) };
}

function render(columns: readonly Column[], rows: readonly Row[], above: readonly string[]): string {
  const header = columns.map((column) => TITLES[column] ?? column);
  const cells = rows.map((row) => columns.map((column) => row[column]));
  return [...above, table(header, cells)].join("\n");
}

const widthOf = (text: string) => Math.max(...text.split("\n").map((line) => line.length));
const saysStatus = (reason: string, status: string) => reason === "" || reason === `status ${status}`;

/** If all rows with a value have the same one, it is printed above the table. */
function isShared(rows: readonly Row[], column: Column, above: string[]): boolean {
  const [value, ...others] = new Set(rows.map((row) => row[column]).filter((text) => text !== ""));
  if (value === undefined || others.length > 0) return false;
  above.push(`${column} ${value}`);
  return true;
}

/** The longest match of the pattern that all texts begin with. */
function sharedStart(texts: readonly string[], pattern: RegExp): string {
  const [first = ""] = texts;
  let [start = ""] = pattern.exec(first) ?? [];
  while (start !== "" && !texts.every((text) => text.startsWith(start))) [start = ""] = pattern.exec(start.slice(0, -1)) ?? [];
  return start;
}
