import type { Circumstances } from "./judge";

/** Milliseconds. */
const MINUTE = 60_000;
/** How far back others count. */
const OTHERS_WITHIN = 10 * MINUTE;
const FRESH_WITHIN = MINUTE / 6;
const FAILED_BEFORE_WITHIN = 60 * MINUTE;
/** Share of the others whose last call was taken, so that they count as well. */
const WELL = 4 / 5;
/** People whose last call a container remembers. */
const MAX_PEOPLE = 1_000;
/** People who failed alone. Each comes back within a minute or so, and would be forgotten before if these were fewer. */
const MAX_FAILING = 10_000;

/** How people's calls fared in this container: all that it remembers to tell one person's trouble from everybody's. */
export class People {
  /** Each one's last call, `at` in milliseconds since 1970, by message group; who was tried last is last. */
  readonly #last = new Map<string, { readonly taken: boolean; readonly at: number }>();
  /** When each last failed while others were well, without a success since. Apart: others' calls do not push it out. */
  readonly #failedAloneAt = new Map<string, number>();
  #lastMoveAt = Number.NEGATIVE_INFINITY;

  /** A call of this person's was tried at Segment. `at` in milliseconds since 1970. */
  tried(person: string, taken: boolean, at: number): void {
    if (taken) this.#failedAloneAt.delete(person);
    remember(this.#last, person, { taken, at }, MAX_PEOPLE);
  }

  /** Whether this person's last call was not taken. */
  isFailing(person: string): boolean {
    return this.#failedAloneAt.has(person) || this.#last.get(person)?.taken === false;
  }

  /** For one person whose call failed, once all answers of the invocation were told to `tried`. */
  circumstancesOf(person: string, now: number): Circumstances {
    const recent = [...this.#last].filter(([name, { at }]) => name !== person && now - at <= OTHERS_WITHIN);
    const taken = recent.filter(([, other]) => other.taken);
    const lastTakenAt = Math.max(...taken.map(([, { at }]) => at));
    const failedAt = this.#failedAloneAt.get(person) ?? Number.NEGATIVE_INFINITY;
    return {
      othersWell: taken.length >= 1 && taken.length >= WELL * recent.length,
      freshSuccess: now - lastTakenAt <= FRESH_WITHIN || lastTakenAt > this.#lastMoveAt,
      failedBefore: now - failedAt <= FAILED_BEFORE_WITHIN,
    };
  }

  /** This person failed while others were well: the next invocation may hold it against the call. */
  failedAlone(person: string, now: number): void {
    remember(this.#failedAloneAt, person, now, MAX_FAILING);
  }

  /** A call that fails alone was moved. Each further one needs a success that is newer. */
  moved(now: number): void {
    this.#lastMoveAt = now;
  }
}

/** As the last. Beyond `most` the first is forgotten. */
function remember<Value>(people: Map<string, Value>, person: string, value: Value, most: number): void {
  people.delete(person);
  people.set(person, value);
  const [first] = people.keys();
  if (people.size > most && first !== undefined) people.delete(first);
}
