import { isUtf8 } from "node:buffer";
import { InvalidEvaluationError } from "../errors";
import { tryParseJson } from "../json";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** 2^53. JavaScript holds every integer with fewer digits exactly. */
const LARGEST_SAFE = "9007199254740992";
const UNSAFE_DIGITS = LARGEST_SAFE.length;

/** The tokens that JSON.parse refuses or rounds. Only integers match, not the digits of a fraction. */
const PYTHON_TOKENS = /-?Infinity|NaN|(?<![\d.eE+-])-?[1-9]\d{15,}(?![\d.eE])/g;

/**
 * Parses the output of Python's `json.dumps` in linear time. `NaN` and the infinities become null, and the digits of an integer beyond
 * 2^53 become a string. @throws InvalidEvaluationError, which does not quote the body.
 */
export function parsePythonJson(body: Buffer): unknown {
  if (body.length === 0) throw new InvalidEvaluationError("body", "JSON, got nothing");
  if (!isUtf8(body)) throw new InvalidEvaluationError("body", "UTF-8");
  const text = body.toString("utf8").replace(/^\uFEFF/, ""); // a byte-order mark
  const source = needsRewriting(text) ? rewrite(text) : text;
  const parsed = tryParseJson(source);
  if (parsed === undefined) throw new InvalidEvaluationError("body", "JSON");
  return parsed;
}

/** Whether a Python token may occur outside of strings. It needs one pass. */
function needsRewriting(text: string): boolean {
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    digits = char >= 0x30 && char <= 0x39 ? digits + 1 : 0;
    if (char === QUOTE) i = endOfString(text, i);
    // 0x49 is the I of Infinity, 0x4e the N of NaN.
    else if (digits === UNSAFE_DIGITS || char === 0x49 || char === 0x4e) return true;
  }
  return false;
}

function rewrite(text: string): string {
  let rewritten = "";
  for (let from = 0; from < text.length; ) {
    const quote = text.indexOf('"', from);
    const open = quote === -1 ? text.length : quote;
    const close = Math.min(endOfString(text, open) + 1, text.length);
    rewritten += text.slice(from, open).replace(PYTHON_TOKENS, replaceToken) + text.slice(open, close);
    from = close;
  }
  return rewritten;
}

function replaceToken(token: string): string {
  if (token.endsWith("y") || token === "NaN") return "null";
  // The digits are compared as text, because a BigInt needs 45 ms for 256 KB of digits.
  const digits = token.replace("-", "");
  const isUnsafe = digits.length > LARGEST_SAFE.length || digits > LARGEST_SAFE;
  return isUnsafe ? `"${token}"` : token;
}

/** Returns the index of the quote that closes the string opened at `open`, or the text's length if the string is not closed. */
function endOfString(text: string, open: number): number {
  let quote = text.indexOf('"', open + 1);
  while (quote !== -1 && isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote === -1 ? text.length : quote;
}

/** Each backslash is counted only for the quote that follows it, so the total time is linear. */
function isEscaped(text: string, quote: number): boolean {
  let first = quote;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (quote - first) % 2 === 1;
}
