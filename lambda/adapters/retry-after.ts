/** A number above these limits must be a point in time, in seconds or milliseconds since 1970. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MILLISECONDS = 1e12;

/** One value of a comma-separated list. A date also contains a comma. */
const VALUE = /(?:[A-Za-z]{3,9}, )?[^,\s][^,]*/g;

/**
 * Returns the seconds that an answer asks to wait: the longest of `Retry-After`, in seconds or as a date, and `X-RateLimit-Reset`, which
 * Segment gives in seconds and other servers as a time. A proxy may add its own values. undefined = it asks for no wait.
 */
export function askedDelay(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  nowMs: number,
): number | undefined {
  const asked = [headers["retry-after"], headers["x-ratelimit-reset"]]
    .flat()
    .flatMap((values) => values?.match(VALUE) ?? [])
    .map((value) => toSeconds(value.trim(), nowMs))
    .filter((seconds) => seconds !== undefined);
  return asked.length === 0 ? undefined : Math.max(...asked);
}

function toSeconds(value: string, nowMs: number): number | undefined {
  if (/^\d+(\.\d+)?$/.test(value)) {
    const number = Number(value);
    if (number < EPOCH_SECONDS) return number;
    return Math.max(0, (number < EPOCH_MILLISECONDS ? number : number / 1_000) - nowMs / 1_000);
  }
  const date = /[A-Za-z]/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, (date - nowMs) / 1_000);
}
