/** SQS is the retry loop; this is its schedule. All in seconds. */
export const BACKOFF = {
  first: 2,
  /** Also of what Segment asks for: a mistake in a header must not park a person's traits for a day. */
  cap: 30 * 60,
  /** Share by which a delay varies either way, so that what failed together does not come back together. */
  jitter: 0.2,
} as const;

/**
 * Seconds until a message that was received `receiveCount` times is tried again: doubled each time, never sooner than Segment
 * asked for, whole because SQS takes no fractions.
 *
 * @param random from 0 to 1
 */
export function retryDelay(receiveCount: number, random: () => number, retryAfter = 0): number {
  const exponential = BACKOFF.first * 2 ** (Math.max(receiveCount, 1) - 1);
  const jittered = Math.min(exponential, BACKOFF.cap) * (1 - BACKOFF.jitter + 2 * BACKOFF.jitter * random());
  return Math.min(Math.ceil(Math.max(jittered, retryAfter)), BACKOFF.cap);
}

/** A reset beyond this many seconds can only be a point in time, not a span. */
const EPOCH_SECONDS = 1_000_000_000;

/** One of several values that a comma joins, a date's own comma within. */
const VALUE = /(?:[A-Za-z]{3,9}, )?[^,\s][^,]*/g;

/**
 * Seconds that an answer asks to wait: the longest of `Retry-After`, seconds or a date, and `X-RateLimit-Reset`, which Segment
 * gives in seconds and others as the time of the reset; a proxy may add its own. undefined = it does not say.
 */
export function askedDelay(headers: ReadonlyMap<string, string>, now: number): number | undefined {
  const asked = [headers.get("retry-after"), headers.get("x-ratelimit-reset")]
    .flatMap((values) => values?.match(VALUE) ?? [])
    .map((value) => toSeconds(value.trim(), now))
    .filter((seconds) => seconds !== undefined);
  return asked.length === 0 ? undefined : Math.max(...asked);
}

function toSeconds(value: string, now: number): number | undefined {
  if (/^\d+(\.\d+)?$/.test(value)) {
    const seconds = Number(value);
    return seconds < EPOCH_SECONDS ? seconds : Math.max(0, seconds - now / 1_000);
  }
  const date = /[A-Za-z]/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1_000);
}
