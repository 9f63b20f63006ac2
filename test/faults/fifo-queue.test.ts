import { NOON } from "../support/builders";
import { FifoQueue } from "./fifo-queue";

function setUp() {
  const clock = { now: NOON };
  const options = { clock, visibility: 30_000, retention: 3_600_000 };
  const dead = new FifoQueue(options);
  const queue = new FifoQueue({ ...options, deadLetters: { queue: dead, maxReceiveCount: 2 } });
  const send = (groupId: string, body: string) =>
    queue.send({ body, groupId, deduplicationId: body, attributes: {} });
  const receive = (most = 10) => queue.receive(most).map(({ body }) => body);
  return { clock, queue, dead, send, receive };
}

/** The model against SQS's documentation. */
describe("FifoQueue", () => {
  it("gives several messages of a group at once, in order", () => {
    const { send, receive } = setUp();
    for (const body of ["a1", "b1", "a2"]) send(body[0] ?? "", body);
    expect(receive()).toEqual(["a1", "b1", "a2"]);
  });

  it("gives nothing of a group while one of it is in flight", () => {
    const { clock, queue, send, receive } = setUp();
    for (const body of ["a1", "a2", "b1"]) send(body[0] ?? "", body);
    const [first] = queue.receive(1);
    expect(receive()).toEqual(["b1"]);
    queue.delete(first?.receiptHandle ?? "");
    expect(receive()).toEqual(["a2"]);
    clock.now += 30_000;
    expect(receive()).toEqual(["a2", "b1"]);
  });

  it("gives what comes back in the old order, once all of it is back", () => {
    const { clock, queue, send, receive } = setUp();
    for (const body of ["a1", "a2"]) send("a", body);
    const [first, second] = queue.receive(2);
    expect(queue.setVisibility(second?.receiptHandle ?? "", 0)).toBe(true);
    expect(queue.setVisibility(first?.receiptHandle ?? "", 5)).toBe(true);
    expect(receive()).toEqual([]);
    expect(queue.nextVisibleAt).toBe(NOON + 5_000);
    clock.now += 5_000;
    expect(receive()).toEqual(["a1", "a2"]);
  });

  it("stores an id once in five minutes", () => {
    const { clock, send, receive } = setUp();
    send("a", "a1");
    send("a", "a1");
    clock.now += 5 * 60_000;
    send("a", "a1");
    expect(receive()).toEqual(["a1", "a1"]);
  });

  it("does not know a handle of an earlier receive", () => {
    const { clock, queue, send } = setUp();
    send("a", "a1");
    const [old] = queue.receive(1);
    clock.now += 30_000;
    queue.receive(1);
    queue.delete(old?.receiptHandle ?? "");
    expect(queue.messages).toHaveLength(1);
    expect(queue.setVisibility(old?.receiptHandle ?? "", 0)).toBe(false);
  });

  it("moves what was received too often, and forgets what is too old", () => {
    const { clock, queue, dead, send, receive } = setUp();
    send("a", "a1");
    for (let i = 0; i < 3; i++) {
      receive();
      clock.now += 30_000;
    }
    expect(dead.messages.map(({ body }) => body)).toEqual(["a1"]);
    send("a", "a2");
    clock.now += 3_600_001;
    expect(receive()).toEqual([]);
    expect(queue.messages).toEqual([]);
  });
});
