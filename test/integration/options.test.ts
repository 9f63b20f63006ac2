import type { Options } from "../../lambda/options";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { type Pipeline, startPipeline } from "./pipeline";

/** Each option from `cdk.json` through template and environment to the call. */
async function withPipeline<Result>(options: Options, use: (pipeline: Pipeline) => Promise<Result>): Promise<Result> {
  const pipeline = await startPipeline({ options });
  try {
    return await use(pipeline);
  } finally {
    await pipeline.stop();
  }
}

const NAMELESS = "0123456789abcdef0123456789abcdef";

const payload = evaluationPayload({
  identity: NAMELESS,
  flags: [
    flagPayload({ name: "email", value: "a@b.c" }),
    flagPayload({ name: "beta_color", value: "blue" }),
    flagPayload({ name: "beta_size", value: 7, enabled: false }),
    flagPayload({ name: "internal", value: 1 }),
  ],
  segments: [
    { id: 2, name: "vip", member: true },
    { id: 1, name: "all", member: true },
    { id: 3, name: "experiment-9-rollout", member: true },
    { id: 4, name: "out", member: false },
  ],
  traits: [
    { id: 1, trait_key: "plan", trait_value: "pro" },
    { id: 2, trait_key: "secret", trait_value: "x" },
    { id: null, trait_key: "plan_once", trait_value: "y", transient: true },
  ],
});

describe("what Segment gets", () => {
  it.each<[string, Options, object]>([
    [
      "without options",
      {},
      { userId: NAMELESS, traits: { flag_email: "a@b.c", beta_color: "blue", beta_size: false, internal: 1 } },
    ],
    [
      "with all options that change the call",
      {
        traitPrefix: "ff_",
        traitStyle: "typed",
        flags: { include: ["beta_*", "email"], exclude: ["*_color"] },
        flagsmithTraits: ["plan*"],
        segments: true,
        anonymousIdentities: "anonymousId",
        markActive: false,
      },
      {
        anonymousId: NAMELESS,
        context: { library: { name: "flagsmith-to-segment", version: expect.any(String) }, active: false },
        traits: {
          plan: "pro",
          ff_email: true,
          ff_email_value: "a@b.c",
          ff_beta_size: false,
          ff_beta_size_value: null,
          flagsmith_segments: ["all", "vip"],
        },
      },
    ],
  ])("%s", (_, options, expected) =>
    withPipeline(options, async (pipeline) => {
      const { messageId } = await pipeline.post(bytesOf(payload));
      const { body } = await pipeline.identify(messageId);
      expect(body).toEqual({
        context: { library: { name: "flagsmith-to-segment", version: expect.any(String) } },
        ...expected,
        messageId,
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      });
    }),
  );

  it("is nothing of an anonymous identity with anonymousIdentities: drop", () =>
    withPipeline({ anonymousIdentities: "drop" }, async (pipeline) => {
      const { status, text } = await pipeline.post(bytesOf(payload));
      expect(status).toBe(200);
      expect(JSON.parse(text)).toMatchObject({ status: "ignored" });
    }));

  it("is each change with forward: changes, and an absent trait is no change", () =>
    // A backlog would be merged.
    withPipeline({ forward: "changes", mergeBacklog: false }, async (pipeline) => {
      const post = async (...flags: readonly object[]) =>
        (await pipeline.post(bytesOf(evaluationPayload({ identity: "poller", flags })))).messageId;
      const color = (value: string) => flagPayload({ name: "color", value });
      const server = flagPayload({ name: "server_only", value: 1 });
      const sent = [await post(color("A"), server)];
      const unchanged = [await post(color("A")), await post(color("A"), server)];
      sent.push(await post(color("B")), await post(color("A")), await post());
      unchanged.push(await post(color("A"), server), await post());
      await pipeline.until(() => pipeline.log.filter(({ event }) => event === "unchanged").length === unchanged.length);
      expect(pipeline.cloud.segment.calls.map(({ body }) => body.messageId)).toEqual(sent);
      const lines = pipeline.log.filter(({ event }) => event === "unchanged");
      expect(lines.map(({ messageId }) => messageId)).toEqual(unchanged);
    }));

  it("is nothing with dryRun, which logs the call instead, without the user's name with logUserId: hashed", () =>
    withPipeline({ dryRun: true, logUserId: "hashed" }, async (pipeline) => {
      const { messageId } = await pipeline.post(bytesOf(evaluationPayload({ identity: "user-1" })));
      await pipeline.until(() => pipeline.log.some(({ event }) => event === "dry-run"));
      const [accepted, dryRun] = pipeline.log.filter((line) => line.messageId === messageId);
      expect(dryRun).toMatchObject({ call: { messageId, traits: { dark_mode: true } } });
      // printf user-1 | sha256sum
      const hash = "c6c289e49e9c05b2145860387b73bcb18df43fb09a1e4a4a9713c76c88bb541b";
      expect([accepted?.userId, dryRun?.userId]).toEqual([hash, hash]);
      expect(pipeline.cloud.segment.calls).toEqual([]);
    }));
});
