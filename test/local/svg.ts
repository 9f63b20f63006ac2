import { stripVTControlCharacters } from "node:util";

/** Pixels of one character and of one line. The fonts of viewers differ, so each text has an explicit length. */
const CHARACTER = 8.4;
const LINE = 19;
const MARGIN = 16;
const FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

const COLOURS = { ground: "#0d1117", text: "#d1d7e0", quiet: "#8b949e", frame: "#30363d" };
/** Colours by the ANSI code that the local run writes. */
const ANSI: Readonly<Record<string, string>> = { 2: "#8b949e", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 36: "#79c0ff" };

/** Draws a terminal with this text. Long lines are wrapped at `columns`. */
export function terminalPicture(text: string, columns: number, description: string): string {
  const lines = text.split("\n").flatMap((line) => wrapped(line, columns));
  const texts = lines.flatMap((line, row) => piecesOf(line).map((piece) => textAt({ ...piece, row })));
  return picture(columns, lines.length, description, texts);
}

export interface TablePicture {
  readonly titles: readonly [left: string, right: string];
  readonly rows: readonly (readonly [left: string, right: string])[];
}

/** Draws two columns with an arrow between them. */
export function tablePicture({ titles, rows }: TablePicture, description: string): string {
  const left = Math.max(...[titles, ...rows].map(([text]) => text.length));
  const right = Math.max(...[titles, ...rows].map(([, text]) => text.length));
  const arrow = left + 2;
  const second = arrow + 4;
  const texts = [
    textAt({ text: titles[0], column: 0, row: 0, colour: COLOURS.quiet }),
    textAt({ text: titles[1], column: second, row: 0, colour: COLOURS.quiet }),
    ...rows.flatMap(([flag, trait], index) => [
      textAt({ text: flag, column: 0, row: index + 2, colour: "#79c0ff" }),
      textAt({ text: "→", column: arrow, row: index + 2, colour: COLOURS.quiet }),
      textAt({ text: trait, column: second, row: index + 2, colour: "#7ee787" }),
    ]),
  ];
  return picture(second + right, rows.length + 2, description, texts);
}

interface Piece {
  readonly text: string;
  readonly column: number;
  readonly colour: string;
}

function picture(columns: number, lines: number, description: string, texts: readonly string[]): string {
  const width = Math.ceil(columns * CHARACTER) + 2 * MARGIN;
  const height = lines * LINE + 2 * MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(description)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${COLOURS.ground}" stroke="${COLOURS.frame}"/>`,
    `<g font-family="${FONT}" font-size="14">`,
    ...texts,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

function textAt({ text, column, row, colour }: Piece & { readonly row: number }): string {
  const x = (MARGIN + column * CHARACTER).toFixed(1);
  const y = MARGIN + row * LINE + 14;
  const length = (text.length * CHARACTER).toFixed(1);
  return `<text x="${x}" y="${y}" fill="${colour}" textLength="${length}">${escaped(text)}</text>`;
}

/** Splits a line where its colour changes, and at wide gaps, because viewers join spaces. */
function piecesOf(line: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let column = 0;
  let colour = COLOURS.text;
  // The first part is a text. Every second part is the code of a colour.
  for (const [index, part] of line.split(/\p{Cc}\[(\d+)m/u).entries()) {
    if (index % 2 === 1) colour = ANSI[part] ?? COLOURS.text;
    else {
      for (const { 0: text, index: at } of part.matchAll(/\S+(?: \S+)*/g)) pieces.push({ text, column: column + at, colour });
      column += part.length;
    }
  }
  return pieces;
}

/** Wraps a line as a terminal does, even within a word. A line that is wrapped loses its colours. */
function wrapped(line: string, columns: number): readonly string[] {
  const visible = stripVTControlCharacters(line);
  if (visible.length <= columns) return [line];
  return Array.from({ length: Math.ceil(visible.length / columns) }, (_, index) =>
    visible.slice(index * columns, (index + 1) * columns),
  );
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
