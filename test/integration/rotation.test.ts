import { sign } from "../../lambda/domain/signature";
import { RUNTIME } from "../../lambda/runtime";
import { bytesOf, evaluationPayload } from "../support/builders";
import { Loopback } from "../support/loopback";
import { loadSources, type Road, startRoad } from "../support/road";

const body = bytesOf(evaluationPayload());

async function withRoad(use: (road: Road) => Promise<void>, load = loadSources): Promise<void> {
  const road = await startRoad({ webhookSecret: "old", load });
  try {
    await use(road);
  } finally {
    await road.stop();
  }
}

const post = async (road: Road, secret: string) =>
  (await road.post(body, { signature: sign(body, secret) })).status;

describe("the webhook secret", () => {
  it("is rotated without an outage: both while both are there, the new one at once", () =>
    withRoad(async (road) => {
      const { webhookSecret } = road.cloud.parameterNames;
      expect(await post(road, "old")).toBe(202);
      road.cloud.parameters.put(webhookSecret, "new\nold\n");
      expect(await post(road, "new")).toBe(202);
      expect(await post(road, "old")).toBe(202);
      expect(await post(road, "forged")).toBe(401);
    }));
});

describe("whatever hangs", () => {
  /** The time-outs of production, a tenth as long. */
  const timing = { ...RUNTIME.timing, awsAttempt: 150, receiveBudget: 600 };

  it.each(["AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_SQS"])("%s: receive answers 503", async (endpoint) => {
    const silent = await Loopback.start(() => "hang");
    const load = async () => {
      const { deliver } = await loadSources();
      const { compose } = await import("../../lambda/receive.lambda");
      return {
        deliver,
        receive: compose({ ...process.env, [endpoint]: silent.url }, { ...RUNTIME, timing }),
      };
    };
    await withRoad(async (road) => {
      const { status, headers } = await road.post(body, { signature: sign(body, "old") });
      expect(status).toBe(503);
      expect(headers.get("retry-after")).toBe("1");
      expect(road.log.at(-1)).toMatchObject({ event: "unavailable", actor: "aws" });
      expect(silent.requests.length).toBeGreaterThan(0);
    }, load);
    await silent.stop();
  });
});
