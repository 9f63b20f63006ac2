import { sign } from "../../lambda/receive/signature";
import { composeReceive } from "../../lambda/wiring";
import { bytesOf, evaluationPayload } from "../cloud/events";
import { loadSources } from "../local/local-cloud";
import { Loopback } from "../support/loopback";
import { realMachine } from "../support/machine";
import { type Pipeline, type PipelineOptions, startPipeline } from "../support/pipeline";

const body = bytesOf(evaluationPayload());

async function withPipeline(use: (pipeline: Pipeline) => Promise<void>, load?: PipelineOptions["load"]): Promise<void> {
  const pipeline = await startPipeline({ webhookSecret: "old", ...(load === undefined ? {} : { load }) });
  try {
    await use(pipeline);
  } finally {
    await pipeline.stop();
  }
}

const post = async (pipeline: Pipeline, secret: string) =>
  (await pipeline.post(body, { signature: sign(body, secret) })).status;

describe("the webhook secret", () => {
  it("is rotated without an outage: both while both are there, the new one at once", () =>
    withPipeline(async (pipeline) => {
      const { webhookSecret } = pipeline.cloud.parameterNames;
      expect(await post(pipeline, "old")).toBe(202);
      pipeline.cloud.ssm.set(webhookSecret, "new\nold\n");
      expect(await post(pipeline, "new")).toBe(202);
      expect(await post(pipeline, "old")).toBe(202);
      expect(await post(pipeline, "forged")).toBe(401);
    }));
});

describe("whatever hangs", () => {
  /** The time-outs of production, a tenth as long. */
  const short = realMachine({ awsAttemptMs: 150, awsCallMs: 300, receiveBudgetMs: 600 });

  it.each(["AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_SQS"])("%s: receive answers 503", async (endpoint) => {
    const silent = await Loopback.start(() => "hang");
    const load: PipelineOptions["load"] = (environments) => {
      const receive = { ...environments.receive, [endpoint]: silent.url };
      return { ...loadSources(environments), receive: composeReceive(receive, short) };
    };
    await withPipeline(async (pipeline) => {
      const { status, headers } = await pipeline.post(body, { signature: sign(body, "old") });
      expect(status).toBe(503);
      expect(headers.get("retry-after")).toBe("1");
      expect(pipeline.log.at(-1)).toMatchObject({ event: "unavailable", actor: "aws" });
      expect(silent.requests.length).toBeGreaterThan(0);
    }, load);
    await silent.stop();
  });
});
