import { UserRecord } from "../../lambda/deliver/changes";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { callBody, NOON } from "../cloud/events";
import { FakeRecords } from "../support/fakes";

const HOUR_MS = 3_600_000;
const REFRESH_SECONDS = 24 * 3_600;

type Traits = Readonly<Record<string, unknown>>;

const unitOf = (traits: Traits, change: (body: string) => string = (body) => body) => {
  return { call: parseIdentifyCall(change(callBody({ traits }))), variations: [] };
};
/** Segment accepted the call and no events. */
const sent = { traits: true, variations: [] };

function setUp(records = new FakeRecords(), endpoint = "https://api.segment.io") {
  const clock = { nowMs: NOON };
  const changes = { records, endpoint, refreshSeconds: REFRESH_SECONDS };
  const open = async () => {
    const record = new UserRecord({ ...changes, userHash: "hash", now: () => clock.nowMs });
    await record.read();
    return record;
  };
  /** As deliver does with a call that Segment accepts. */
  const deliver = async (traits: Traits, sequence: bigint, key = "key") => {
    const record = await open();
    await record.remove(unitOf(traits), key, sequence);
    await record.add(unitOf(traits), sent, key, sequence);
  };
  const isUnchanged = async (traits: Traits, key = "key") => (await open()).hasTraits(unitOf(traits), key);
  return { records, clock, open, deliver, isUnchanged };
}

describe("a call is unchanged", () => {
  it.each<[string, Traits, boolean]>([
    ["with the same traits", { a: 1, b: "x" }, true],
    ["with the same traits in another order", { b: "x", a: 1 }, true],
    ["with fewer traits, because an absent one is no change", { b: "x" }, true],
    ["not with another value", { a: 2 }, false],
    ["not with a value of another type", { a: "1" }, false],
    ["not with one more trait", { a: 1, c: true }, false],
    ["not with a value under another name", { b: 1 }, false],
  ])("%s", async (_, traits, expected) => {
    const { deliver, isUnchanged } = setUp();
    await deliver({ a: 1, b: "x" }, 5n);
    expect(await isUnchanged(traits)).toBe(expected);
  });

  it("without traits, once such a call was sent", async () => {
    const { deliver, isUnchanged } = setUp();
    await deliver({ a: 1 }, 5n);
    expect(await isUnchanged({})).toBe(false);
    await deliver({}, 6n);
    expect(await isUnchanged({})).toBe(true);
  });

  it("until a trait is due for a refresh, whichever way the clock went", async () => {
    const { deliver, isUnchanged, clock } = setUp();
    await deliver({ a: 1 }, 5n);
    const at = async (laterMs: number) => {
      clock.nowMs = NOON + laterMs;
      return isUnchanged({ a: 1 });
    };
    expect([await at(24 * HOUR_MS - 1), await at(24 * HOUR_MS), await at(-24 * HOUR_MS)]).toEqual([true, false, false]);
  });

  it("only for the same write key, endpoint and kind of id", async () => {
    const { deliver, isUnchanged, open, records } = setUp();
    await deliver({ a: 1 }, 5n);
    const anonymous = unitOf({ a: 1 }, (body) => body.replace('"userId"', '"anonymousId"'));
    expect(await isUnchanged({ a: 1 }, "other key")).toBe(false);
    expect(await setUp(records, "https://events.eu1.segmentapis.com").isUnchanged({ a: 1 })).toBe(false);
    expect((await open()).hasTraits(anonymous, "key")).toBe(false);
  });
});

describe("a message is settled", () => {
  it("up to the record's sequence, whatever the record's source", async () => {
    const { deliver, open } = setUp();
    expect((await open()).isSettled(1n)).toBe(false);
    await deliver({ a: 1 }, 5n, "other key");
    const record = await open();
    expect([4n, 5n, 6n].map((sequence) => record.isSettled(sequence))).toEqual([true, true, false]);
  });
});

describe("before a call is sent", () => {
  it("the fingerprints of its traits are removed, whatever their values, up to the message before it", async () => {
    const { deliver, open, records, isUnchanged } = setUp();
    await deliver({ a: 1, b: 1 }, 5n);
    await (await open()).remove(unitOf({ a: 1, c: 1 }), "key", 8n);
    expect(records.writes.at(-1)).toMatchObject({ sequence: 7n });
    expect([await isUnchanged({ b: 1 }), await isUnchanged({ a: 1 })]).toEqual([true, false]);
  });

  it("the fingerprint of a variation that changed is removed, so that the way back is an event again", async () => {
    const record = await setUp().open();
    const withValue = (value: string) => ({ ...unitOf({}), variations: [{ flag: "checkout", value, since: "m-1" }] });
    const a = withValue("A");
    await record.add(a, { traits: true, variations: a.variations }, "key", 5n);
    expect(record.newVariations(a, "key")).toEqual([]);
    await record.remove(withValue("B"), "key", 6n);
    expect(record.newVariations(a, "key")).toEqual(a.variations);
  });

  it("nothing is written without a record, or without a fingerprint of its traits", async () => {
    const { deliver, open, records } = setUp();
    await (await open()).remove(unitOf({ a: 1 }), "key", 4n);
    await deliver({ a: 1 }, 5n);
    await (await open()).remove(unitOf({ b: 1 }), "key", 6n);
    expect(records.writes.map(({ sequence }) => sequence)).toEqual([5n]);
  });

  it("a record of another source loses all its fingerprints", async () => {
    const { deliver, open, records, isUnchanged } = setUp();
    await deliver({ a: 1 }, 5n, "old key");
    await (await open()).remove(unitOf({ b: 1 }), "key", 6n);
    expect(records.writes.at(-1)).toMatchObject({ sequence: 5n, fingerprints: new Map() });
    expect(await isUnchanged({ a: 1 }, "old key")).toBe(false);
  });
});

describe("after a call was accepted", () => {
  it("its fingerprints are added to those of the same source that are not due", async () => {
    const { deliver, isUnchanged, clock, records } = setUp();
    await deliver({ a: 1 }, 5n);
    clock.nowMs += HOUR_MS;
    await deliver({ b: 1 }, 6n);
    expect(await isUnchanged({ a: 1, b: 1 })).toBe(true);
    clock.nowMs += 23 * HOUR_MS;
    await deliver({ c: 1 }, 7n);
    expect(await isUnchanged({ b: 1, c: 1 })).toBe(true);
    expect(records.writes.at(-1)?.fingerprints.size).toBe(2);
  });

  it("nothing of the old key stays if it was sent with a new one", async () => {
    const { deliver, open, isUnchanged } = setUp();
    await deliver({ a: 1 }, 5n, "old key");
    await (await open()).add(unitOf({ b: 1 }), sent, "key", 6n);
    expect(await isUnchanged({ b: 1 })).toBe(true);
    expect([await isUnchanged({ a: 1 }, "old key"), await isUnchanged({ a: 1 })]).toEqual([false, false]);
  });

  it("DynamoDB may delete the record a day after the last of its fingerprints is due", async () => {
    const { deliver, records } = setUp();
    await deliver({ a: 1 }, 5n);
    expect(records.writes).toMatchObject([{ expiresAtSeconds: NOON / 1_000 + REFRESH_SECONDS + 24 * 3_600 }]);
  });
});

it("the record is read again after a write failed, and only then", async () => {
  const operations: string[] = [];
  const records = new FakeRecords((operation) => {
    operations.push(operation);
    return operation === "write";
  });
  const record = await setUp(records).open();
  await record.read();
  expect(operations).toEqual(["read"]);
  await expect(record.add(unitOf({ a: 2 }), sent, "key", 6n)).rejects.toMatchObject({ code: "table-failed" });
  await record.read();
  expect(operations).toEqual(["read", "write", "read"]);
});
