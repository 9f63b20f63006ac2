import { type Circumstances, classOf, type Failure, judge } from "../../lambda/deliver/judge";
import { UnreadableMessageError } from "../../lambda/errors";
import { answered } from "../support/fakes";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Everything that speaks for moving a call, its age aside. */
const ALONE: Circumstances = { othersWell: true, freshSuccess: true, failedBefore: true };
const EVERYBODY: Circumstances = { othersWell: false, freshSuccess: false, failedBefore: false };

const middle = () => 0.5;
const notTaken = (status: number | undefined, triedTwice = true, retryAfter?: number): Failure => ({
  kind: "not-taken",
  answer: answered(status, retryAfter),
  triedTwice,
});
const of = (failure: Failure, age: number, circumstances = ALONE, receiveCount = 3) =>
  judge(failure, { age, receiveCount }, circumstances, middle);

/** The table of section "Delivery" of the documents: status, class, and the age at which a call that fails alone is moved. */
type Row = readonly [status: number | undefined, code: string, moveAfter: number, reason: string];
const ROWS: readonly Row[] = [
  [undefined, "no-answer", 3 * HOUR, "fails-alone"],
  [199, "no-answer", 3 * HOUR, "fails-alone"],
  [301, "endpoint-refused", HOUR, "fails-alone"],
  [400, "content-rejected", MINUTE, "rejected-by-segment"],
  [401, "endpoint-refused", HOUR, "fails-alone"],
  [403, "endpoint-refused", HOUR, "fails-alone"],
  [404, "endpoint-refused", HOUR, "fails-alone"],
  [405, "endpoint-refused", HOUR, "fails-alone"],
  [407, "endpoint-refused", HOUR, "fails-alone"],
  [408, "slow-down", 12 * DAY, "expired"],
  [410, "endpoint-refused", HOUR, "fails-alone"],
  [413, "content-rejected", MINUTE, "rejected-by-segment"],
  [414, "endpoint-refused", HOUR, "fails-alone"],
  [415, "endpoint-refused", HOUR, "fails-alone"],
  [421, "endpoint-refused", HOUR, "fails-alone"],
  [422, "content-rejected", MINUTE, "rejected-by-segment"],
  [425, "endpoint-refused", HOUR, "fails-alone"],
  [429, "slow-down", 12 * DAY, "expired"],
  [431, "endpoint-refused", HOUR, "fails-alone"],
  [460, "endpoint-refused", HOUR, "fails-alone"],
  [499, "endpoint-refused", HOUR, "fails-alone"],
  [500, "server-error", 3 * HOUR, "fails-alone"],
  [501, "endpoint-refused", HOUR, "fails-alone"],
  [503, "server-error", 3 * HOUR, "fails-alone"],
  [505, "endpoint-refused", HOUR, "fails-alone"],
  [600, "no-answer", 3 * HOUR, "fails-alone"],
];

describe.each(ROWS)("status %s", (status, code, moveAfter, reason) => {
  it(`is ${code}`, () => {
    expect(classOf(status).code).toBe(code);
  });

  it("moves a call that fails alone at its age, and no sooner", () => {
    expect(of(notTaken(status), moveAfter - 1).move).toBeUndefined();
    expect(of(notTaken(status), moveAfter).move).toBe(reason);
  });

  it("moves no call while others fail as well, before it is a day old", () => {
    expect(of(notTaken(status), DAY - 1, EVERYBODY).move).toBeUndefined();
  });

  it("moves every call that is 12 days old, with a reason", () => {
    expect(of(notTaken(status), 12 * DAY, EVERYBODY).move).toBe("expired");
  });
});

describe("a call that is old enough", () => {
  it.each<[string, Failure, Circumstances, number]>([
    ["the second try was not its own", notTaken(503, false), ALONE, 3],
    ["the person did not fail before", notTaken(503), { ...ALONE, failedBefore: false }, 3],
    ["others are not well", notTaken(503), { ...ALONE, othersWell: false }, 3],
    ["nobody's success is fresh", notTaken(503), { ...ALONE, freshSuccess: false }, 3],
    ["its content was rejected twice only", notTaken(400), ALONE, 2],
  ])("is not moved while %s", (_, failure, circumstances, receiveCount) => {
    expect(of(failure, 4 * HOUR, circumstances, receiveCount).move).toBeUndefined();
  });

  it("is moved a day after its content was rejected, however others fare", () => {
    expect(of(notTaken(422, false), DAY, EVERYBODY, 1).move).toBe("rejected-by-segment");
  });
});

describe("a message that is not sent", () => {
  it("is moved at once if it can't be read", () => {
    expect(of({ kind: "unreadable", error: new UnreadableMessageError("anything else") }, 0, EVERYBODY).move).toBe(
      "unreadable-message",
    );
  });

  it("comes back by the minute for an hour if its version is unknown", () => {
    expect(of({ kind: "unknown-version" }, HOUR - 1, EVERYBODY)).toEqual({ move: undefined, wait: 60 });
    expect(of({ kind: "unknown-version" }, HOUR, EVERYBODY).move).toBe("unknown-version");
  });

  it("comes back when the answer to another asked for it, at once if none did, and is never moved for it", () => {
    const notTried = (after: number) => of({ kind: "not-tried", why: "", after }, 13 * DAY, EVERYBODY);
    expect(notTried(0)).toEqual({ move: undefined, wait: 0 });
    expect(notTried(12.3)).toEqual({ move: undefined, wait: 13 });
    expect(notTried(86_400)).toEqual({ move: undefined, wait: 1_800 });
  });

  it("expires if the write key can't be read for 12 days", () => {
    const failure: Failure = { kind: "error", error: new Error() };
    expect(of(failure, 12 * DAY - 1, EVERYBODY).move).toBeUndefined();
    expect(of(failure, 12 * DAY, EVERYBODY).move).toBe("expired");
  });
});

describe("the wait", () => {
  it.each<[string, Failure, number, Circumstances, number]>([
    ["2 s at least", notTaken(503), 0, EVERYBODY, 2],
    ["half of the age", notTaken(503), 40, EVERYBODY, 20],
    ["10 minutes at most", notTaken(503), HOUR, EVERYBODY, 600],
    ["a minute at most while others are well", notTaken(503), HOUR, ALONE, 60],
    ["10 minutes at most after 408, others well", notTaken(408), HOUR, ALONE, 600],
    ["10 minutes at most after 429, others well", notTaken(429), HOUR, ALONE, 600],
    ["15 s at most for what was only not recorded", { kind: "unrecorded", answer: answered(200) }, HOUR, EVERYBODY, 15],
    ["half of the age without a write key", { kind: "error", error: undefined }, 100, EVERYBODY, 50],
    ["no sooner than asked, 10 % more in the middle", notTaken(503, true, 100), 10, EVERYBODY, 110],
    ["longer than asked where the age says so", notTaken(503, true, 100), 400, EVERYBODY, 200],
    ["30 minutes of what is asked at most", notTaken(429, true, 86_400), 0, EVERYBODY, 1_980],
  ])("is %s", (_, failure, age, circumstances, seconds) => {
    expect(of(failure, age, circumstances).wait).toBe(seconds);
  });

  it("is half an hour at least from 300 receives on", () => {
    expect(of(notTaken(503), HOUR, ALONE, 299).wait).toBe(60);
    expect(of(notTaken(503), HOUR, ALONE, 300).wait).toBe(1_980);
  });

  it.each([
    ["20 % either way", notTaken(503), 40, [16, 24]],
    ["20 % upwards only of what was asked", notTaken(503, true, 100), 0, [100, 120]],
  ])("varies by %s", (_, failure, age, [least, most]) => {
    const waits = [0, 1].map((drawn) => judge(failure, { age, receiveCount: 1 }, EVERYBODY, () => drawn).wait);
    expect(waits).toEqual([least, most]);
  });

  /** Receives of a call that fails for 12 days, each as soon as the jitter allows, in a container that remembers nothing. */
  it.each<[string, Failure, Circumstances]>([
    ["5xx", notTaken(503), EVERYBODY],
    ["5xx while others are well, whose second try is never its own", notTaken(503, false), ALONE],
    ["408", notTaken(408), EVERYBODY],
    ["429 that asks for 0 s", notTaken(429, true, 0), EVERYBODY],
    ["429 that asks for 1 s", notTaken(429, true, 1), EVERYBODY],
    ["429 that asks for a day", notTaken(429, true, DAY), EVERYBODY],
    ["no write key", { kind: "error", error: undefined }, EVERYBODY],
  ])("leaves room for 12 days of %s within SQS's 1,000 receives", (_, failure, circumstances) => {
    let receiveCount = 1;
    let age = 0;
    for (;;) {
      const { move, wait } = judge(failure, { age, receiveCount }, circumstances, () => 0);
      if (move !== undefined) {
        expect(move).toBe("expired");
        break;
      }
      age += wait;
      receiveCount++;
    }
    expect(age).toBeLessThan(13 * DAY);
    expect(receiveCount).toBeLessThan(900);
  });
});
