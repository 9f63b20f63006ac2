import { hasPassed, type RetrySeconds } from "../timing";

/** The endpoint is healthy if at least these shares of the other users' latest attempts were accepted. */
const ACCEPTED_OF_FIRST_RECEIVES = 4 / 5;
const ACCEPTED_OF_ALL = 2 / 3;
/** Number of users whose latest attempts one container remembers. */
const MAX_USERS = 1_000;
/** Number of users with a streak. Each is retried after about a minute, and a smaller map would forget them before that. */
const MAX_STREAKS = 10_000;

interface Attempt {
  readonly accepted: boolean;
  readonly atMs: number;
}

/**
 * One container's attempts, by user. They distinguish one user's failures from the endpoint's. Times are in milliseconds since 1970.
 */
export class Health {
  readonly #latest = new Map<string, Attempt>();
  /** Only attempts at a message's first receive. Otherwise the retries of a few failing users would dominate a quiet stack. */
  readonly #latestFirstReceive = new Map<string, Attempt>();
  readonly #streaks = new Map<string, { readonly failures: number; readonly atMs: number }>();

  constructor(private readonly retrySeconds: RetrySeconds) {}

  attempted(user: string, { accepted, atMs, receiveCount }: Attempt & { readonly receiveCount: number }): void {
    if (accepted) this.#streaks.delete(user);
    remember(this.#latest, user, { accepted, atMs }, MAX_USERS);
    if (receiveCount === 1) remember(this.#latestFirstReceive, user, { accepted, atMs }, MAX_USERS);
  }

  /** Whether this container's last attempt for the user was not accepted. */
  isFailing(user: string): boolean {
    return this.#streaks.has(user) || this.#latest.get(user)?.accepted === false;
  }

  /**
   * Whether the endpoint is healthy for this user, by the attempts for other users. The second share exists because failures of more
   * than a third of the users are an outage.
   */
  isHealthyFor(user: string, nowMs: number): boolean {
    const windowMs = 1_000 * this.retrySeconds.healthWindow;
    const others = (attempts: ReadonlyMap<string, Attempt>) => {
      const recent = [...attempts].filter(([other, { atMs }]) => other !== user && !hasPassed(atMs, nowMs, windowMs));
      return { all: recent.length, accepted: recent.filter(([, { accepted }]) => accepted).length };
    };
    const first = others(this.#latestFirstReceive);
    const all = others(this.#latest);
    if (first.accepted === 0 || first.accepted < ACCEPTED_OF_FIRST_RECEIVES * first.all) return false;
    return all.accepted >= ACCEPTED_OF_ALL * all.all;
  }

  /** Counts a failure, once per invocation, and returns the user's streak. An accepted attempt or an hour without a failure ends it. */
  countFailure(user: string, nowMs: number): number {
    const last = this.#streaks.get(user);
    const goesOn = last !== undefined && !hasPassed(last.atMs, nowMs, 1_000 * this.retrySeconds.streakWindow);
    const failures = goesOn ? last.failures + 1 : 1;
    remember(this.#streaks, user, { failures, atMs: nowMs }, MAX_STREAKS);
    return failures;
  }
}

/** Makes this user the newest. If there are more than `most`, the oldest is forgotten. */
function remember<Value>(users: Map<string, Value>, user: string, value: Value, most: number): void {
  users.delete(user);
  users.set(user, value);
  const [first] = users.keys();
  if (users.size > most && first !== undefined) users.delete(first);
}
