import type { DeliveredItem } from "../../lambda/adapters/delivered-table";
import { Changes, type Place } from "../../lambda/deliver/changes";
import { AwsCallError } from "../../lambda/errors";
import { hashIdentity, parseIdentifyCall } from "../../lambda/identify-call";
import { callBody } from "../cloud/events";
import { RecordingLog } from "../support/fakes";

const down = new AwsCallError("dynamodb:PutItem", "InternalServerError", true);

const denied = new AwsCallError("dynamodb:PutItem", "AccessDeniedException", false);

/** A table that is up, or fails at reading, writing or both. */
function setUp(broken: { read?: boolean; write?: boolean } = {}, refusal = down) {
  const log = new RecordingLog();
  const clock = { now: 1_800_000_000_000 };
  const items = new Map<string, DeliveredItem>();
  const table = {
    read: async (identityHash: string) => {
      if (broken.read) throw down;
      return items.get(identityHash);
    },
    write: async (identityHash: string, item: DeliveredItem) => {
      if (broken.write) throw refusal;
      items.set(identityHash, item);
    },
  };
  const changes = new Changes({ table, log, endpoint: "https://api.segment.io", refresh: 3_600, now: () => clock.now });
  const compare = (
    sequence = 1,
    traits: Record<string, unknown> = { plan: "gold" },
    identity = "user-1",
    place: Partial<Place> = {},
  ) => {
    const last = BigInt(sequence);
    const call = parseIdentifyCall(callBody({ identity, traits }));
    return changes.compare(call, { first: last, last, mayBeAtSegment: false, mayBeKnown: false, ...place }, "key");
  };
  return { changes, broken, log, clock, compare, record: async () => (await compare()).record("key") };
}

describe("Changes", () => {
  it("finds a call unchanged once it was recorded, and no sooner", async () => {
    const { compare, log } = setUp();
    const first = await compare();
    expect([first.unchanged, (await compare(2)).unchanged]).toEqual([false, false]);
    await expect(first.record("key")).resolves.toBe(true);
    expect([(await compare(2)).unchanged, (await compare(3, { plan: "free" })).unchanged]).toEqual([true, false]);
    expect(log.lines).toEqual([]);
  });

  it("finds a message unchanged that was recorded before, whatever it says: a later one stands", async () => {
    const { compare } = setUp();
    await (await compare(2)).record("key");
    expect((await compare(1, { plan: "older" })).unchanged).toBe(true);
  });

  it.each([
    ["reading", { read: true }],
    ["writing", { write: true }],
    ["both", { read: true, write: true }],
  ])("tells once per call that DynamoDB fails at %s", async (_, broken) => {
    const { compare, log } = setUp(broken);
    const comparison = await compare();
    expect(comparison.unchanged).toBe(false);
    await comparison.record("key");
    expect(log.line).toMatchObject({ event: "delivered-unknown", error: down });
  });

  it("tells of both if the operator must fix the second", async () => {
    const { compare, log } = setUp({ read: true, write: true }, denied);
    await (await compare()).record("key");
    expect(log.lines.map(({ error }) => error)).toEqual([down, denied]);
  });

  it("wants a message back that it could not record, until twelve in a row say that the table is down", async () => {
    const { broken, record } = setUp({ write: true });
    const recorded = async (times: number) => {
      const answers: boolean[] = [];
      for (let time = 0; time < times; time++) answers.push(await record());
      return answers;
    };
    expect(await recorded(11)).toEqual(Array(11).fill(false));
    expect(await recorded(2)).toEqual([true, true]);
    broken.write = false;
    expect(await recorded(1)).toEqual([true]);
    broken.write = true;
    expect(await recorded(1)).toEqual([false]);
  });

  it("takes nothing of a person for unchanged while what Segment took is not recorded, but others' calls", async () => {
    const { broken, compare } = setUp();
    await (await compare()).record("key");
    await (await compare(1, { plan: "gold" }, "user-2")).record("key");
    broken.write = true;
    await (await compare(2, { plan: "free" })).record("key");
    expect((await compare(3)).unchanged).toBe(false);
    expect((await compare(2, { plan: "gold" }, "user-2")).unchanged).toBe(true);
    broken.write = false;
    await (await compare(2, { plan: "free" })).record("key");
    expect((await compare(3, { plan: "free" })).unchanged).toBe(true);
  });

  it.each([
    ["could not be recorded", 1, [true, false, false]],
    ["was given up", 12, [true, true, false]],
  ])("sends nothing again that was settled before a call that Segment took and that %s", async (_, failures, expected) => {
    const { broken, compare } = setUp();
    await (await compare(1)).record("key");
    broken.write = true;
    const merged = { first: 3n, last: 4n };
    for (let i = 0; i < failures; i++) await (await compare(4, { plan: "free" }, "user-1", merged)).record("key");
    const again = [await compare(2), await compare(3), await compare(5)];
    expect(again.map(({ unchanged }) => unchanged)).toEqual(expected);
  });

  it("sends whatever comes after a call that was moved, and not that call", async () => {
    const { changes, compare } = setUp();
    await (await compare(1)).record("key");
    await changes.forget(hashIdentity("user-1"), 2n, "m");
    expect([await compare(2), await compare(3)].map(({ unchanged }) => unchanged)).toEqual([true, false]);
  });

  it("does not trust an item that is older than what was given up, nor carries it over", async () => {
    const { broken, compare } = setUp();
    await (await compare(1, { plan: 1, seat: 1 })).record("key");
    broken.write = true;
    // Plan 2 is at Segment, and was given up.
    for (let i = 0; i < 12; i++) await (await compare(2, { plan: 2 })).record("key");
    broken.write = false;
    // Somebody else's recording shows that the table is up again.
    await (await compare(1, { plan: 1 }, "user-2")).record("key");
    expect((await compare(3, { plan: 1 })).unchanged).toBe(false);
    await (await compare(3, { seat: 1 })).record("key");
    expect((await compare(4, { plan: 1 })).unchanged).toBe(false);
    expect((await compare(4, { seat: 1 })).unchanged).toBe(true);
  });

  it("trusts nobody's item until the refresh once it can't remember whom it gave up", async () => {
    const { broken, compare, clock } = setUp();
    await (await compare(1, {}, "first")).record("key");
    broken.write = true;
    for (let i = 0; i < 10_020; i++) await (await compare(2, {}, `user-${i}`)).record("key");
    broken.write = false;
    await (await compare(2, {}, "last")).record("key");
    expect((await compare(2, {}, "first")).unchanged).toBe(false);
    clock.now += 3_600_000;
    await (await compare(3, {}, "first")).record("key");
    expect((await compare(4, {}, "first")).unchanged).toBe(true);
  });

  it("sends whatever comes after a call that a redrive brought back, which Segment may have dropped by its id", async () => {
    const { compare } = setUp();
    await (await compare(2, { plan: "free" })).record("key");
    const redriven = await compare(3, { plan: "gold" }, "user-1", { mayBeKnown: true });
    await redriven.record("key");
    expect([redriven, await compare(3), await compare(4)].map(({ unchanged }) => unchanged)).toEqual([false, true, false]);
  });

  it("takes nothing for unchanged of which a part may have been sent, but for what is recorded already", async () => {
    const { compare, record } = setUp();
    await record();
    expect((await compare(2, { plan: "gold" }, "user-1", { mayBeAtSegment: true })).unchanged).toBe(false);
    expect((await compare(1, { plan: "gold" }, "user-1", { mayBeAtSegment: true })).unchanged).toBe(true);
  });
});
