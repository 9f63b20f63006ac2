import { check, type Journal } from "./checker";

/** Two people, two events each; the second of `a` in two calls. */
const journal: Journal = {
  sent: [
    { identity: "a", number: 0, flags: 1, sentAt: 0, answers: [202] },
    { identity: "b", number: 0, flags: 1, sentAt: 10, answers: [503, 202] },
    { identity: "a", number: 1, flags: 2, sentAt: 20, answers: [202] },
    { identity: "b", number: 1, flags: 1, sentAt: 30, answers: [503, 503, 503] },
  ],
  taken: [
    { userId: "a", messageId: "1", traitNames: ["e0.1.0"], at: 100 },
    { userId: "b", messageId: "2", traitNames: ["e0.2.0"], at: 110 },
    { userId: "a", messageId: "3", traitNames: ["e1.1.0"], at: 120 },
    { userId: "a", messageId: "4", traitNames: ["e1.1.1"], at: 520 },
  ],
  deadLetters: [],
  waiting: [],
};

const without = (index: number): Journal => ({ ...journal, taken: journal.taken.filter((_, other) => other !== index) });

describe("the checker", () => {
  it("finds nothing where nothing is wrong", () => {
    expect(check(journal)).toEqual({
      events: 4,
      accepted: 3,
      delivered: 3,
      duplicates: 0,
      reordered: 0,
      lost: 0,
      deadLettered: {},
      worstDelay: 500,
      othersWorstDelay: 0,
      waiting: 0,
      oldestWaiting: 0,
      invented: 0,
    });
  });

  it.each([0, 1, 2, 3])("finds the loss of call %d", (index) => {
    expect(check(without(index))).toMatchObject({ lost: 1, delivered: 2 });
  });

  it("does not take a dead letter for a loss, and counts those without a reason", () => {
    const dead = [{ userId: "a", traitNames: ["e0.1.0"], reason: undefined }];
    expect(check({ ...without(0), deadLetters: dead })).toMatchObject({ lost: 0, deadLettered: { none: 1 } });
  });

  it("does not take what still waits for a loss, and tells its age", () => {
    const waiting = [{ userId: "a", traitNames: ["e0.1.0"], age: 7 }];
    expect(check({ ...without(0), waiting })).toMatchObject({ lost: 0, waiting: 1, oldestWaiting: 7 });
  });

  it("tells the delays of those whom a fault strikes from others'", () => {
    expect(check(journal, (identity) => identity === "b")).toMatchObject({ worstDelay: 100, othersWorstDelay: 500 });
  });

  it.each([
    ["an event overtaken by the next", [2, 3, 1, 0]],
    ["a part overtaken by the next", [0, 1, 3, 2]],
  ])("finds %s", (_, order) => {
    const taken = order.flatMap((index) => journal.taken[index] ?? []);
    expect(check({ ...journal, taken })).toMatchObject({ reordered: 1, lost: 0 });
  });

  it("finds duplicates by their id, and no reordering in them", () => {
    const [first] = journal.taken;
    if (first === undefined) throw new Error("no call");
    expect(check({ ...journal, taken: [...journal.taken, first] })).toMatchObject({ duplicates: 1, reordered: 0 });
  });

  it("finds calls that nobody sent", () => {
    const invented = { userId: "c", messageId: "9", traitNames: ["e0.1.0"], at: 0 };
    expect(check({ ...journal, taken: [...journal.taken, invented] })).toMatchObject({ invented: 1 });
  });
});
