import { escapeControlCharacters } from "../../infra/cli/control-characters";

/** How a row looks. `in` and `out` are routine, `quiet` is unremarkable, `warning` shows what waits, `bad` needs the operator. */
export type Tone = "in" | "out" | "quiet" | "warning" | "bad";

export interface Look {
  readonly colour: boolean;
  /** undefined = the output is not a terminal, so each row is one line of any length. */
  readonly columns: number | undefined;
}

/** One webhook, or the outcome of one message. */
export interface Row {
  readonly atMs: number;
  readonly direction: "IN" | "OUT";
  readonly status: string;
  readonly user: string;
  /** Number of flags, or time since the evaluation. */
  readonly size: string;
  /** undefined = the set is enough. */
  readonly words?: string | undefined;
  /** Flags or traits, each as text. As many are shown as fit. */
  readonly set?: readonly string[];
  readonly tone: Tone;
}

/** With 8 columns for the user, three usual flags fit into one line of 80. */
const USER_WIDTH = 8;
const SIZE_WIDTH = 7;
/** Width of time, direction, status, user and size, with the gaps between them. */
const HEAD_WIDTH = 20 + USER_WIDTH + 1 + SIZE_WIDTH + 2;
const MIN_COLUMNS = 60;
/** Width of a set if the output is not a terminal. */
const WIDTH_WITHOUT_TERMINAL = 160;
/** More items than this never fit. */
const MAX_ITEMS = 60;
const MAX_ITEM_WIDTH = 40;
/** Keeps an item in one piece while a text is wrapped. */
const NO_BREAK = "\u00A0";

const CODES: Readonly<Record<Tone, number>> = { in: 36, out: 32, quiet: 2, warning: 33, bad: 31 };

/** Formats a row as one or two lines of a terminal. Only a long reason takes more. */
export function formatRow(row: Row, { colour, columns }: Look): string {
  const paint = (text: string) => (colour ? `\u001B[${CODES[row.tone]}m${text}\u001B[0m` : text);
  const { direction, status } = row;
  const time = clockTime(row.atMs);
  const what = `${direction.padEnd(3)}  ${status.padEnd(3)}`;
  const user = padEnd(clip(escapeControlCharacters(row.user), USER_WIDTH), USER_WIDTH);
  const about = `  ${user} ${row.size.padStart(SIZE_WIDTH)}  `;
  const [first = "", ...others] = contentOf(row, columns).map((text) => text.replaceAll(NO_BREAK, " "));
  const rest = others.map((text) => `\n${" ".repeat(HEAD_WIDTH)}${text}`).join("");
  const isRoutine = row.tone === "in" || row.tone === "out";
  const line = isRoutine ? `${time}  ${paint(what)}${about}${first}${rest}` : paint(`${time}  ${what}${about}${first}${rest}`);
  return line.replace(/ +$/, "");
}

/** Local time of day. */
export function clockTime(atMs: number): string {
  return new Date(atMs).toTimeString().slice(0, 8);
}

/** "1,995". */
export function grouped(number: number): string {
  return number.toLocaleString("en-US");
}

function contentOf({ words, set = [] }: Row, columns: number | undefined): readonly string[] {
  const width = columns === undefined ? WIDTH_WITHOUT_TERMINAL : Math.max(columns, MIN_COLUMNS) - HEAD_WIDTH;
  const maxLines = columns === undefined ? 1 : 2;
  const said = words === undefined ? [] : [escapeControlCharacters(words)];
  const items = set.slice(0, MAX_ITEMS).map((item) => toItem(item, Math.min(width - 2, MAX_ITEM_WIDTH)));
  for (let shown = items.length; ; shown--) {
    const more = set.length > shown ? [`… and ${grouped(set.length - shown)} more`.replaceAll(" ", NO_BREAK)] : [];
    const text = [...said, ...items.slice(0, shown), ...more].join(`${NO_BREAK}· `);
    const lines = wrap(text, width);
    if (lines.length <= maxLines || shown === 0) return columns === undefined ? [lines.join(" ")] : lines;
  }
}

/** A name with its value may be too long for a line, so it is cut. */
function toItem(item: string, maxWidth: number): string {
  return clip(escapeControlCharacters(item), maxWidth).replaceAll(" ", NO_BREAK);
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Characters that are two columns wide: East Asian ones and most pictures. */
const WIDE =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}]/u;
const ZERO_WIDTH = /\p{M}|\p{Cf}/u;

function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += ZERO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

function clip(text: string, width: number): string {
  if (text.length <= width && widthOf(text) <= width) return text;
  let clipped = "";
  for (const character of text) {
    if (widthOf(clipped + character) > width - 1) break;
    clipped += character;
  }
  return `${clipped}…`;
}
