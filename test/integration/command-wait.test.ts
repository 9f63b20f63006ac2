import type { Finding } from "../../infra/cli/checks/finding";
import { sign } from "../../lambda/receive/signature";
import { bytesOf, evaluationPayload } from "../cloud/events";
import { runLocal, runOnAws } from "./commands";
import { type Pipeline, startPipeline } from "./pipeline";

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await startPipeline();
});
afterEach(async () => {
  expect(pipeline.cloud.controlPlane.unexpected).toEqual([]);
  await pipeline.stop();
});

const evaluation = (identity: string) => bytesOf(evaluationPayload({ identity }));
const saw = (event: string) => pipeline.until(() => pipeline.log.some((line) => line.event === event));
const read = ({ out, code }: Awaited<ReturnType<typeof runLocal>>) => {
  const found: readonly Finding[] = JSON.parse(out);
  return { code, found, refused: found.filter(({ check }) => check.startsWith("webhook of ")) };
};
const wait = async (minutes = "0.01") => read(await runLocal(pipeline, ["doctor", "--json", "--wait", "--minutes", minutes]));

describe("doctor --wait", () => {
  it("follows the first webhook to Segment, and says whose it is, with how many traits", async () => {
    const waiting = wait("10");
    await pipeline.post(evaluation("ann"));
    const { found, code } = await waiting;
    expect(found.slice(-3)).toMatchObject([
      { check: "first webhook", level: "info", detail: expect.stringMatching(/^accepted at \S+: user ann, \d+ traits?$/) },
      { level: "ok", detail: expect.stringMatching(/^user ann, \d+ traits?: delivered \d+ ms after reception$/) },
      { check: "look in Segment", level: "info", detail: expect.stringMatching(/^Sources, the source, Debugger/) },
    ]);
    expect(code).toBe(0);
    expect(pipeline.cloud.segment.calls.map(({ userId }) => userId)).toEqual(["ann"]);
  });

  it("does not count the call of doctor, and sends none", async () => {
    await pipeline.post(evaluation("doctor"));
    await saw("delivered");
    const { found, code } = await wait();
    expect(found.at(-1)).toMatchObject({ check: "first webhook", level: "failed", detail: "nothing arrived in 0.01 min" });
    expect(code).toBe(1);
    expect(pipeline.cloud.segment.calls).toHaveLength(1);
  });

  it.each<[string, () => Promise<unknown>, RegExp, RegExp]>([
    [
      "another secret",
      () => pipeline.post(evaluation("ann"), { signature: sign(evaluation("ann"), "another") }),
      /^signed with another secret: .*\/flagsmith-to-segment\/production\/webhook-secret$/,
      /^paste the secret again/,
    ],
    ["no secret", () => pipeline.post(evaluation("ann"), { signature: null }), /^not signed/, /Your Webhook Secret/],
    [
      "another kind of webhook",
      () => pipeline.post(bytesOf({ event_type: "FLAG_UPDATED", data: {} })),
      /^another kind of webhook: it was added on the environment's/,
      /project's Integrations page, Webhook$/,
    ],
    ["a user who is skipped", () => pipeline.post(evaluation("undefined")), /^user undefined is skipped/, /another user/],
    ["a body that is none", () => pipeline.post(Buffer.from("{}")), /^refused: /, /RUNBOOK.md, Invalid webhooks/],
  ])("explains a webhook with %s once, and fails", async (_, post, detail, fix) => {
    await post();
    await post();
    const { refused, found, code } = await wait();
    expect(refused).toMatchObject([
      { level: "warning", detail: expect.stringMatching(detail), fix: expect.stringMatching(fix) },
    ]);
    expect(found.at(-1)).toMatchObject({ level: "failed", detail: "none of 2 webhooks was accepted in 0.01 min" });
    expect(code).toBe(1);
  });

  it("explains why Segment does not get it", async () => {
    pipeline.cloud.segment.refusals.push(...Array(200).fill(401));
    await pipeline.post(evaluation("ann"));
    const { found, code } = await wait("10");
    expect(found.at(-1)).toMatchObject({ check: "first webhook", level: "failed", detail: "retrying: status 401" });
    expect(code).toBe(1);
  });

  it("fails where it may not read the log", async () => {
    const { state } = pipeline.cloud.controlPlane;
    state.apiId = "abc123";
    state.refused = { FilterLogEvents: "AccessDeniedException" };
    const { found, code } = read(await runOnAws(pipeline, ["doctor", "--json", "--wait", "--minutes", "0.01"]));
    const fix = "your credentials need logs:FilterLogEvents";
    expect(found.at(-1)).toMatchObject({ check: "first webhook", level: "failed", fix });
    expect(code).toBe(1);
  });

  it("refuses --minutes without --wait, and no number", async () => {
    expect((await runLocal(pipeline, ["doctor", "--minutes", "3"])).progress).toMatch(/^--minutes goes with --wait/);
    expect((await runLocal(pipeline, ["doctor", "--wait", "--minutes", "soon"])).progress).toMatch(/^--minutes: allowed/);
  });
});
