import type { Options } from "../../lambda/options";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { type Pipeline, startPipeline } from "./pipeline";

/** Each option from `cdk.json` through template and environment to the call. */
async function withPipeline(options: Options, use: (pipeline: Pipeline) => Promise<void>): Promise<void> {
  const pipeline = await startPipeline({ options });
  try {
    await use(pipeline);
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
    { id: 1, name: "all", member: true },
    { id: 4, name: "out", member: false },
  ],
  traits: [
    { id: 1, trait_key: "plan", trait_value: "pro" },
    { id: 2, trait_key: "secret", trait_value: "x" },
  ],
});

describe("what Segment gets", () => {
  it("is shaped by all options that change the call, and is nothing of an excluded identity", () =>
    withPipeline(
      {
        traitPrefix: "ff_",
        traitStyle: "typed",
        flags: { include: ["beta_*", "email"], exclude: ["*_color"] },
        flagsmithTraits: ["plan*"],
        segments: true,
        identities: { exclude: ["guest"] },
        anonymousIdentities: "anonymousId",
        markActive: false,
        removeTraits: ["old"],
      },
      async (pipeline) => {
        const excluded = await pipeline.post(bytesOf(evaluationPayload({ identity: "guest" })));
        expect([excluded.status, excluded.messageId]).toEqual([200, ""]);
        const { messageId } = await pipeline.post(bytesOf(payload));
        const { body } = await pipeline.identify(messageId);
        expect(body).toEqual({
          anonymousId: NAMELESS,
          context: { library: { name: "flagsmith-to-segment", version: expect.any(String) }, active: false },
          traits: {
            plan: "pro",
            ff_email: true,
            ff_email_value: "a@b.c",
            ff_beta_size: false,
            ff_beta_size_value: null,
            flagsmith_segments: ["all"],
            old: null,
          },
          messageId,
          timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
          sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        });
      },
    ));

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
