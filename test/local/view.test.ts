import { bytesOf, callBody, evaluationPayload, flagPayload, NOON } from "../cloud/events";
import type { LogEntry } from "./entries";
import { clockTime, type Look } from "./row";
import { View } from "./view";

const PLAIN: Look = { colour: false, columns: undefined };
const TIME = clockTime(NOON);

interface Shown {
  readonly view: View;
  readonly printed: string[];
}

function viewOf(look: Look = PLAIN): Shown {
  const printed: string[] = [];
  return { view: new View((text) => printed.push(text), look), printed };
}

/** Gives the view receive's log entry and the answer for one webhook. `flags` are those of an evaluation. */
function answer({ view }: Shown, entry: LogEntry, flags: readonly object[] = [], status = 202): void {
  view.entry({ service: "receive", requestId: "i", ...entry });
  const body = bytesOf(evaluationPayload({ flags }));
  view.answered({ atMs: NOON, requestId: "api-1", invocationId: "i", status, body });
}

const outcome = (entry: LogEntry): LogEntry => ({
  service: "deliver",
  timestamp: new Date(NOON).toISOString(),
  messageId: "stack-api-1-0",
  userId: "ann",
  status: 200,
  ...entry,
});
const ACCEPTED = { event: "accepted", userId: "ann", messageId: "stack-api-1-0", calls: 1 };
const FLAGS = [
  flagPayload({ name: "checkout", value: "b" }),
  flagPayload({ name: "dark_mode" }),
  flagPayload({ name: "email", enabled: false, value: "x" }),
];
const TRAITS = { checkout: "b", dark_mode: true, flag_email: false };

describe("the view of the local run", () => {
  it("shows an evaluation's flags as they came, and its traits as they go", () => {
    const shown = viewOf();
    shown.view.arrived("api-1");
    answer(shown, ACCEPTED, FLAGS);
    shown.view.delivering([callBody({ messageId: "stack-api-1-0", traits: TRAITS })]);
    shown.view.entry(outcome({ event: "delivered", latencyMs: 109 }));
    expect(shown.printed).toEqual([
      `${TIME}  IN   202  ann      3 flags  checkout = "b" · dark_mode on · email off`,
      `${TIME}  OUT  200  ann       109 ms  checkout = "b" · dark_mode = true · flag_email = false (renamed)`,
    ]);
  });

  it("shows an outcome after its webhook, however early it is logged", () => {
    const shown = viewOf();
    shown.view.arrived("api-1");
    shown.view.delivering([callBody({ messageId: "stack-api-1-0", traits: { checkout: "b" } })]);
    shown.view.entry(outcome({ event: "delivered", latencyMs: 1 }));
    expect(shown.printed).toEqual([]);
    answer(shown, ACCEPTED, FLAGS);
    expect(shown.printed.map((text) => text.slice(10, 13))).toEqual(["IN ", "OUT"]);
  });

  it("shows the calls of a large evaluation as one, once all are settled", () => {
    const shown = viewOf();
    answer(shown, { ...ACCEPTED, calls: 2 }, FLAGS);
    for (const part of [0, 1]) {
      const messageId = `stack-api-1-${part}`;
      shown.view.delivering([callBody({ messageId, traits: { [`flag-${part}`]: part } })]);
      shown.view.entry(outcome({ event: "delivered", messageId, latencyMs: 5 }));
      expect(shown.printed).toHaveLength(1 + part);
    }
    expect(shown.printed[1]).toMatch(/5 ms {2}2 calls · flag-0 = 0 · flag-1 = 1$/);
  });

  it("ends a large set in the number of what is not shown", () => {
    const shown = viewOf({ colour: false, columns: 80 });
    answer(
      shown,
      ACCEPTED,
      Array.from({ length: 2_000 }, (_, index) => flagPayload({ name: `flag_${index}`, enabled: false })),
    );
    const [text = ""] = shown.printed;
    expect(text).toMatch(/2,000 flags {2}flag_0 off · .* · … and 1,99\d more$/s);
    expect(text.split("\n")).toHaveLength(2);
  });

  it.each<[string, LogEntry, string]>([
    ["unchanged", { event: "unchanged" }, 'unchanged · checkout = "b"'],
    ["merged", { event: "merged", mergedInto: "m" }, 'merged · checkout = "b"'],
    ["a dry run", { event: "dry-run" }, 'dry run · checkout = "b"'],
    ["experiments", { event: "delivered", experiments: 2 }, 'experiments: 2 · checkout = "b"'],
    [
      "a retry",
      {
        event: "retrying",
        status: 400,
        attempt: 3,
        retryInSeconds: 2,
        code: "endpoint-refused",
        reason: "status 400",
        held: 4,
      },
      "retrying in 2 s after attempt 3: endpoint-refused; 4 held behind it",
    ],
    ["a dead letter", { event: "dead-lettered", reason: "isolated-failure" }, "dead-lettered: isolated-failure"],
  ])("says %s in its word", (_, entry, words) => {
    const shown = viewOf();
    shown.view.delivering([callBody({ messageId: "stack-api-1-0", traits: { checkout: "b" } })]);
    shown.view.entry(outcome(entry));
    expect(shown.printed).toEqual([expect.stringMatching(new RegExp(`  ${words.replace(/[()]/g, "\\$&")}$`))]);
  });

  it.each<[string, number, LogEntry, RegExp]>([
    ["refused", 401, { event: "unauthorized", reason: "no signature" }, /IN {3}401 {2}- +unauthorized: no signature$/],
    [
      "ignored",
      200,
      { event: "ignored", userId: "bob", reason: "option identities excludes this identity" },
      /200 {2}bob +ignored: option/,
    ],
    [
      "unavailable",
      503,
      { event: "unavailable", message: "m", reason: "no secret", remedy: "aws ssm" },
      /unavailable: no secret -> aws ssm$/,
    ],
  ])("shows a webhook that is %s with its reason", (_, status, entry, row) => {
    const shown = viewOf();
    answer(shown, entry, [], status);
    expect(shown.printed).toEqual([expect.stringMatching(row)]);
  });

  it("shows a webhook that does not reach receive with its reason", () => {
    const { view, printed } = viewOf();
    const body = Buffer.alloc(0);
    view.answered({ atMs: NOON, requestId: "api-1", invocationId: "i", status: 413, body, reason: "the body exceeds 6 MB" });
    expect(printed).toEqual([expect.stringMatching(/IN {3}413 {2}- +refused: the body exceeds 6 MB$/)]);
  });

  it("colours what waits yellow and what is dead-lettered red, on a terminal only", () => {
    const shown = viewOf({ colour: true, columns: 80 });
    shown.view.entry(outcome({ event: "retrying", retryInSeconds: 1, code: "server-error" }));
    shown.view.entry(outcome({ event: "dead-lettered", reason: "expired" }));
    expect(shown.printed.map((text) => text.slice(0, 5))).toEqual(["\u001B[33m", "\u001B[31m"]);
  });

  it("lets no character of a name steer the terminal", () => {
    const shown = viewOf();
    const name = "a\u001B[2J\u009B\u202E\u2028\u2066\n";
    answer(shown, { ...ACCEPTED, userId: name }, [flagPayload({ name, value: name })]);
    expect(shown.printed.join("")).toMatch(/^[^\p{Cc}\u202E\u2028\u2066]+$/u);
  });

  it("counts webhooks by answer and calls by outcome", () => {
    const shown = viewOf();
    answer(shown, ACCEPTED, FLAGS);
    answer(shown, { event: "ignored", reason: "r" }, [], 200);
    for (const event of ["retrying", "retrying", "delivered"]) shown.view.entry(outcome({ event }));
    expect(shown.view.summary.text({ queue: 1, deadLetters: 2 })).toBe(
      [
        "webhooks  1 accepted (202), 1 ignored (200)",
        "calls     2 retrying, 1 delivered",
        "lost now  1 call in the queue, 2 dead letters",
      ].join("\n"),
    );
  });
});

describe("a row at 80 columns", () => {
  it("is one line for three flags, and at most two for their traits", () => {
    const shown = viewOf({ colour: false, columns: 80 });
    answer(shown, ACCEPTED, FLAGS);
    shown.view.delivering([callBody({ messageId: "stack-api-1-0", traits: TRAITS })]);
    shown.view.entry(outcome({ event: "delivered", latencyMs: 109 }));
    const [first = "", second = ""] = shown.printed;
    expect(first.split("\n")).toHaveLength(1);
    expect(second.split("\n")).toEqual([
      `${TIME}  OUT  200  ann       109 ms  checkout = "b" · dark_mode = true ·`,
      `${" ".repeat(38)}flag_email = false (renamed)`,
    ]);
  });
});
