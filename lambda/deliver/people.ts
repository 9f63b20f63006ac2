import type { Circumstances } from "./judge";

/** Milliseconds. */
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** People that a container remembers. */
const MAX_PEOPLE = 1_000;
/** How far back others count. */
const OTHERS_WITHIN = 10 * MINUTE;
/** Share of the others whose last call was taken, so that they count as well. */
const WELL = 4 / 5;
const FRESH_WITHIN = 10 * SECOND;
const FAILED_BEFORE_WITHIN = 60 * MINUTE;

interface Person {
  /** Of the last call that was tried, in milliseconds since 1970. */
  readonly at: number;
  readonly taken: boolean;
  /** When this person last failed while others were well; undefined = not since the last success. */
  readonly failedAloneAt: number | undefined;
}

/** How people's calls fared in this container: all that it remembers to tell one person's trouble from everybody's. */
export class People {
  /** By message group; who was tried last is last. */
  readonly #people = new Map<string, Person>();
  #lastMoveAt = Number.NEGATIVE_INFINITY;

  /** A call of this person's was tried at Segment. `at` in milliseconds since 1970. */
  tried(person: string, taken: boolean, at: number): void {
    const failedAloneAt = taken ? undefined : this.#people.get(person)?.failedAloneAt;
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
    let others = 0;
    let taken = 0;
    let lastTakenAt = Number.NEGATIVE_INFINITY;
    for (const [name, other] of this.#people) {
      if (name === person || now - other.at > OTHERS_WITHIN) continue;
      others++;
      if (!other.taken) continue;
      taken++;
      lastTakenAt = Math.max(lastTakenAt, other.at);
    }
    const { failedAloneAt = Number.NEGATIVE_INFINITY } = this.#people.get(person) ?? {};
    return {
      othersWell: taken >= 1 && taken >= WELL * others,
      freshSuccess: now - lastTakenAt <= FRESH_WITHIN || lastTakenAt > this.#lastMoveAt,
      failedBefore: now - failedAloneAt <= FAILED_BEFORE_WITHIN,
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
}
