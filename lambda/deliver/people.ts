import type { Circumstances } from "./judge";

/** Milliseconds. */
const MINUTE = 60_000;
/** How far back others count. */
const OTHERS_WITHIN = 10 * MINUTE;
const FRESH_WITHIN = MINUTE / 6;
const FAILED_BEFORE_WITHIN = 60 * MINUTE;
/** Share of the others whose last call was taken, so that they count as well. */
const WELL = 4 / 5;
/** People that a container remembers. */
const MAX_PEOPLE = 1_000;

interface Person {
  /** Of the last call that was tried, in milliseconds since 1970. */
  readonly at: number;
  readonly taken: boolean;
  /** When this person last failed while others were well; -Infinity = not since the last success. */
  readonly failedAloneAt: number;
}

/** How people's calls fared in this container: all that it remembers to tell one person's trouble from everybody's. */
export class People {
  /** By message group; who was tried last is last. */
  readonly #people = new Map<string, Person>();
  #lastMoveAt = Number.NEGATIVE_INFINITY;

  /** A call of this person's was tried at Segment. `at` in milliseconds since 1970. */
  tried(person: string, taken: boolean, at: number): void {
    const failedAloneAt = taken ? Number.NEGATIVE_INFINITY : this.#failedAloneAt(person);
    this.#people.delete(person);
    this.#people.set(person, { at, taken, failedAloneAt });
    const [longestAgo] = this.#people.keys();
    if (this.#people.size > MAX_PEOPLE && longestAgo !== undefined) this.#people.delete(longestAgo);
  }

  /** Whether this person's last call was not taken. */
  isFailing(person: string): boolean {
    return this.#people.get(person)?.taken === false;
  }

  /** For one person whose call failed, once all answers of the invocation were told to `tried`. */
  circumstancesOf(person: string, now: number): Circumstances {
    const recent = [...this.#people].filter(([name, { at }]) => name !== person && now - at <= OTHERS_WITHIN);
    const taken = recent.filter(([, other]) => other.taken);
    const lastTakenAt = Math.max(...taken.map(([, { at }]) => at));
    return {
      othersWell: taken.length >= 1 && taken.length >= WELL * recent.length,
      freshSuccess: now - lastTakenAt <= FRESH_WITHIN || lastTakenAt > this.#lastMoveAt,
      failedBefore: now - this.#failedAloneAt(person) <= FAILED_BEFORE_WITHIN,
    };
  }

  /** This person failed while others were well: the next invocation may hold it against the call. */
  failedAlone(person: string, now: number): void {
    const known = this.#people.get(person);
    if (known !== undefined) this.#people.set(person, { ...known, failedAloneAt: now });
  }

  /** A call that fails alone was moved. Each further one needs a success that is newer. */
  moved(now: number): void {
    this.#lastMoveAt = now;
  }

  #failedAloneAt(person: string): number {
    return this.#people.get(person)?.failedAloneAt ?? Number.NEGATIVE_INFINITY;
  }
}
