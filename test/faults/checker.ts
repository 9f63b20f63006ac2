/**
 * What went in and what came out, as the outside world saw it. The checker does not depend on the code. It reads the numbers from
 * the names of the traits, which the sender made up: `e<event>.<attempt>.<flag>`.
 */
export interface Journal {
  readonly sent: readonly SentEvent[];
  /** Calls that Segment accepted, in order. */
  readonly acceptedCalls: readonly AcceptedCall[];
  readonly deadLetters: readonly DeadLetter[];
  /** What is still in the queue at the end. */
  readonly waiting: readonly WaitingCall[];
}

export interface WaitingCall {
  readonly userId: string;
  readonly traitNames: readonly string[];
  /** Milliseconds since SQS received it. */
  readonly age: number;
}

/** One evaluation of one user. The numbers of a user's events rise. */
export interface SentEvent {
  readonly identity: string;
  readonly number: number;
  readonly flags: number;
  /** Milliseconds since 1970. */
  readonly sentAt: number;
  /** The status of each attempt. The sender gives up after the third error. */
  readonly answers: readonly number[];
}

export interface AcceptedCall {
  readonly userId: string;
  readonly messageId: string;
  readonly traitNames: readonly string[];
  readonly at: number;
}

export interface DeadLetter {
  readonly userId: string;
  readonly traitNames: readonly string[];
  readonly reason: string | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface Findings {
  readonly events: number;
  readonly accepted: number;
  /** Accepted events of which every trait is at Segment. */
  readonly delivered: number;
  /** Calls that repeat a messageId. Segment drops them. */
  readonly duplicates: number;
  /** Calls that brought a trait to Segment after a later trait of the same user. */
  readonly reordered: number;
  /** Accepted events of which a trait is neither at Segment, nor among the dead letters, nor in the queue. */
  readonly lost: number;
  /** Dead letters by reason; `none` = without a reason. */
  readonly deadLettered: Readonly<Record<string, number>>;
  /** Shortest and longest time in seconds from a webhook to its dead letter; undefined without dead letters. */
  readonly deadLetteredAfter: readonly [from: number, to: number] | undefined;
  /** Longest time in milliseconds from a webhook to the last of its traits at Segment: of affected users, and of all other users. */
  readonly worstDelay: number;
  readonly othersWorstDelay: number;
  /** Calls that are still in the queue at the end, and milliseconds that the oldest has waited. */
  readonly waiting: number;
  readonly oldestWaiting: number;
  /** Traits at Segment that no event contained. */
  readonly invented: number;
}

const ACCEPTED = 202;

/** `strikes` returns whether the failure affects a user. */
export function check(
  { sent, acceptedCalls, deadLetters, waiting }: Journal,
  strikes: (identity: string) => boolean = () => true,
): Findings {
  const first = firstArrivals(acceptedCalls);
  const arrived = new Map<string, number>();
  for (const { userId, traitNames, at } of first) {
    for (const trait of traitNames) {
      const key = `${userId} ${trait}`;
      if (!arrived.has(key)) arrived.set(key, at);
    }
  }
  const kept = new Set(
    [...deadLetters, ...waiting].flatMap(({ userId, traitNames }) => traitNames.map((t) => `${userId} ${t}`)),
  );
  const accepted = sent.filter(({ answers }) => answers.at(-1) === ACCEPTED);
  const known = new Set(sent.flatMap((event) => event.answers.flatMap((_, index) => traitsOf(event, index + 1))));
  const delays = accepted.flatMap((event) => {
    const times = traitsOf(event).map((key) => arrived.get(key));
    const delay = Math.max(...times.map((time) => time ?? Number.NaN)) - event.sentAt;
    return Number.isNaN(delay) ? [] : [{ delay, struck: strikes(event.identity) }];
  });
  const worst = (struck: boolean) =>
    delays.reduce((most, each) => (each.struck === struck ? Math.max(most, each.delay) : most), 0);
  return {
    events: sent.length,
    accepted: accepted.length,
    delivered: delays.length,
    duplicates: acceptedCalls.length - first.length,
    reordered: countReordered(first),
    lost: accepted.filter((event) => traitsOf(event).some((key) => !arrived.has(key) && !kept.has(key))).length,
    deadLettered: countReasons(deadLetters),
    deadLetteredAfter: agesOf(deadLetters, sent),
    worstDelay: worst(true),
    othersWorstDelay: worst(false),
    waiting: waiting.length,
    oldestWaiting: waiting.reduce((most, { age }) => Math.max(most, age), 0),
    invented: [...arrived.keys()].filter((key) => !known.has(key)).length,
  };
}

/** The traits of one attempt, by default of the last one. If an attempt was accepted, it is the last one. */
function traitsOf({ identity, number, flags, answers }: SentEvent, attempt = answers.length): readonly string[] {
  return Array.from({ length: flags }, (_, flag) => `${identity} ${traitName(number, attempt, flag)}`);
}

export function traitName(event: number, attempt: number, flag: number): string {
  return `e${event}.${attempt}.${flag}`;
}

function firstArrivals(acceptedCalls: readonly AcceptedCall[]): readonly AcceptedCall[] {
  const seen = new Set<string>();
  return acceptedCalls.filter(({ messageId }) => {
    if (seen.has(messageId)) return false;
    seen.add(messageId);
    return true;
  });
}

/** A call is out of order if a new trait in it belongs to an earlier event, attempt or part than a trait that arrived before. */
function countReordered(first: readonly AcceptedCall[]): number {
  const last = new Map<string, readonly number[]>();
  const seen = new Set<string>();
  let reordered = 0;
  for (const { userId, traitNames } of first) {
    const fresh = traitNames.filter((trait) => !seen.has(`${userId} ${trait}`));
    for (const trait of fresh) seen.add(`${userId} ${trait}`);
    const places = fresh.map((trait) => trait.slice(1).split(".").map(Number));
    if (places.some((place) => comesBefore(place, last.get(userId) ?? []))) reordered++;
    for (const place of places) if (!comesBefore(place, last.get(userId) ?? [])) last.set(userId, place);
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

/** Finds the event of a dead letter by the number in the traits' names. */
function agesOf(deadLetters: readonly DeadLetter[], sent: readonly SentEvent[]): Findings["deadLetteredAfter"] {
  const ages = deadLetters.map(({ traitNames, at }) => (at - (sent[numberOf(traitNames)]?.sentAt ?? Number.NaN)) / 1_000);
  return ages.length === 0 ? undefined : [Math.min(...ages), Math.max(...ages)];
}

/** Returns the number of the event to which traits of these names belong. */
export function numberOf(traitNames: readonly string[]): number {
  return Number(/^e(\d+)\./.exec(traitNames[0] ?? "")?.[1]);
}
