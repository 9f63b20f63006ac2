/**
 * What went in and what came out, as the outside world saw it. The checker knows nothing of the code: it reads identities and
 * numbers out of trait names that the sender made up, `e<event>.<try>.<flag>`.
 */
export interface Journal {
  readonly sent: readonly SentEvent[];
  /** Calls that Segment took, in order. */
  readonly taken: readonly TakenCall[];
  readonly deadLetters: readonly DeadLetter[];
}

/** One evaluation of one identity; the numbers of an identity rise. */
export interface SentEvent {
  readonly identity: string;
  readonly number: number;
  readonly flags: number;
  /** Milliseconds since 1970. */
  readonly sentAt: number;
  /** The status of each try; the sender gives up after the third error. */
  readonly answers: readonly number[];
}

export interface TakenCall {
  readonly userId: string;
  readonly messageId: string;
  readonly traitNames: readonly string[];
  readonly at: number;
}

export interface DeadLetter {
  readonly userId: string;
  readonly traitNames: readonly string[];
  readonly reason: string | undefined;
}

export interface Findings {
  readonly events: number;
  readonly accepted: number;
  /** Accepted events of which every trait is at Segment. */
  readonly delivered: number;
  /** Calls beyond the first with the same messageId; Segment drops them. */
  readonly duplicates: number;
  /** Calls that reached Segment for the first time after a later one of the same person. */
  readonly reordered: number;
  /** Accepted events of which a trait is neither at Segment nor among the dead letters. */
  readonly lost: number;
  /** Dead letters by reason; `none` = nobody said why. */
  readonly deadLettered: Readonly<Record<string, number>>;
  /** Milliseconds from the webhook to the last of its traits at Segment. */
  readonly worstDelay: number;
  /** Calls that no event accounts for. */
  readonly invented: number;
}

const ACCEPTED = 202;

export function check({ sent, taken, deadLetters }: Journal): Findings {
  const first = firstArrivals(taken);
  const arrived = new Map<string, number>();
  for (const { userId, traitNames, at } of first) {
    for (const trait of traitNames) {
      const key = `${userId} ${trait}`;
      if (!arrived.has(key)) arrived.set(key, at);
    }
  }
  const dead = new Set(deadLetters.flatMap(({ userId, traitNames }) => traitNames.map((t) => `${userId} ${t}`)));
  const accepted = sent.filter(({ answers }) => answers.at(-1) === ACCEPTED);
  const known = new Set(sent.flatMap((event) => event.answers.flatMap((_, index) => traitsOf(event, index + 1))));
  const delays = accepted.flatMap((event) => {
    const times = traitsOf(event).map((key) => arrived.get(key));
    return times.every((time) => time !== undefined) ? [Math.max(...times) - event.sentAt] : [];
  });
  return {
    events: sent.length,
    accepted: accepted.length,
    delivered: delays.length,
    duplicates: taken.length - first.length,
    reordered: countReordered(first),
    lost: accepted.filter((event) => traitsOf(event).some((key) => !arrived.has(key) && !dead.has(key))).length,
    deadLettered: countReasons(deadLetters),
    worstDelay: delays.reduce((worst, delay) => Math.max(worst, delay), 0),
    invented: [...arrived.keys()].filter((key) => !known.has(key)).length,
  };
}

/** The traits of a try; the last is the one that was accepted, if any was. */
function traitsOf({ identity, number, flags, answers }: SentEvent, attempt = answers.length): readonly string[] {
  return Array.from({ length: flags }, (_, flag) => `${identity} ${traitName(number, attempt, flag)}`);
}

export function traitName(event: number, attempt: number, flag: number): string {
  return `e${event}.${attempt}.${flag}`;
}

function firstArrivals(taken: readonly TakenCall[]): readonly TakenCall[] {
  const seen = new Set<string>();
  return taken.filter(({ messageId }) => {
    if (seen.has(messageId)) return false;
    seen.add(messageId);
    return true;
  });
}

/** A call's place is that of its first trait: its event, the sender's try, and its part of the event. */
function countReordered(first: readonly TakenCall[]): number {
  const last = new Map<string, readonly number[]>();
  let reordered = 0;
  for (const { userId, traitNames } of first) {
    const place = (traitNames[0] ?? "").slice(1).split(".").map(Number);
    if (comesBefore(place, last.get(userId) ?? [])) reordered++;
    else last.set(userId, place);
  }
  return reordered;
}

function comesBefore(place: readonly number[], other: readonly number[]): boolean {
  const differing = place.findIndex((number, index) => number !== (other[index] ?? -1));
  return differing !== -1 && (place[differing] ?? 0) < (other[differing] ?? -1);
}

function countReasons(deadLetters: readonly DeadLetter[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason = "none" } of deadLetters) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
