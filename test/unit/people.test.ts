import { People } from "../../lambda/deliver/people";
import { NOON } from "../cloud/events";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Others, each with what became of the last call and how long ago. */
function peopleOf(...others: readonly (readonly [taken: boolean, ago: number])[]): People {
  const people = new People();
  for (const [index, [taken, ago]] of others.entries()) people.tried(`other ${index}`, taken, NOON - ago);
  people.tried("p", false, NOON);
  return people;
}

const well = (...others: readonly (readonly [boolean, number])[]) => peopleOf(...others).circumstancesOf("p", NOON).othersWell;

describe("others are well", () => {
  it.each<[string, boolean, (readonly [boolean, number])[]]>([
    ["nobody else", false, []],
    ["one success", true, [[true, 0]]],
    ["one failure", false, [[false, 0]]],
    ["four of five", true, [...Array(4).fill([true, 0]), [false, 0]]],
    ["three of four", false, [...Array(3).fill([true, 0]), [false, 0]]],
    ["a success of ten minutes ago", true, [[true, 10 * MINUTE]]],
    ["a success of more than ten minutes ago", false, [[true, 10 * MINUTE + 1]]],
    ["failures of more than ten minutes ago", true, [[true, 0], ...Array(9).fill([false, 10 * MINUTE + 1])]],
  ])("with %s: %s", (_, expected, others) => {
    expect(well(...others)).toBe(expected);
  });

  it("by the last call of each, and not by the person's own", () => {
    const people = peopleOf([true, 0]);
    people.tried("other 0", false, NOON);
    people.tried("p", true, NOON);
    expect(people.circumstancesOf("p", NOON).othersWell).toBe(false);
  });

  it("among the last 1,000 people only", () => {
    const people = peopleOf(...Array.from({ length: 1_000 }, () => [true, 0] as const));
    for (let i = 0; i < 998; i++) people.tried(`other ${i}`, false, NOON);
    people.tried("new", false, NOON);
    expect(people.circumstancesOf("p", NOON).othersWell).toBe(false);
    for (let i = 0; i < 1_000; i++) people.tried(`newer ${i}`, true, NOON);
    expect(people.circumstancesOf("p", NOON).othersWell).toBe(true);
  });
});

describe("a success is fresh", () => {
  it("for 10 seconds, or until this container moves a call", () => {
    const people = peopleOf([true, 11 * SECOND]);
    const fresh = () => people.circumstancesOf("p", NOON).freshSuccess;
    expect(fresh()).toBe(true);
    people.moved(NOON - 5 * SECOND);
    expect(fresh()).toBe(false);
    people.tried("other 0", true, NOON - 10 * SECOND);
    expect(fresh()).toBe(true);
  });

  it("of somebody else's only", () => {
    const people = new People();
    people.tried("p", true, NOON);
    expect(people.circumstancesOf("p", NOON).freshSuccess).toBe(false);
  });
});

describe("a person failed before", () => {
  const failedBefore = (people: People, now = NOON) => people.circumstancesOf("p", now).failedBefore;

  it("for an hour from a failure while others were well", () => {
    const people = peopleOf();
    expect(failedBefore(people)).toBe(false);
    people.failedAlone("p", NOON);
    people.tried("p", false, NOON + MINUTE);
    expect(failedBefore(people, NOON + 60 * MINUTE)).toBe(true);
    expect(failedBefore(people, NOON + 60 * MINUTE + 1)).toBe(false);
  });

  it("however many others are tried in between", () => {
    const people = peopleOf();
    people.failedAlone("p", NOON);
    for (let i = 0; i < 2_000; i++) people.tried(`other ${i}`, true, NOON);
    expect([failedBefore(people), people.isFailing("p")]).toEqual([true, true]);
  });

  it("among 10,000 who fail alone: each comes back within a minute or so", () => {
    const people = peopleOf();
    people.failedAlone("p", NOON);
    for (let i = 1; i < 10_000; i++) people.failedAlone(`other ${i}`, NOON);
    expect(failedBefore(people)).toBe(true);
    people.failedAlone("one more", NOON);
    expect(failedBefore(people)).toBe(false);
  });

  it("until the next success", () => {
    const people = peopleOf();
    people.failedAlone("p", NOON);
    people.tried("p", true, NOON);
    people.tried("p", false, NOON);
    expect(failedBefore(people)).toBe(false);
  });

  it("is told of the last call", () => {
    const people = peopleOf();
    expect(people.isFailing("p")).toBe(true);
    expect(people.isFailing("stranger")).toBe(false);
    people.tried("p", true, NOON);
    expect(people.isFailing("p")).toBe(false);
  });
});
