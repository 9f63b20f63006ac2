import { deliverConfig, receiveConfig } from "../../lambda/config";

const aws = {
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "AKID",
  AWS_SECRET_ACCESS_KEY: "wJalr",
  AWS_SESSION_TOKEN: "token",
};
const receive = {
  ...aws,
  STACK_NAME: "stack",
  WEBHOOK_SECRET_PARAMETER: "/secret",
  QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/1/queue.fifo",
};
const deliver = {
  ...aws,
  WRITE_KEY_PARAMETER: "/key",
  QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/1/queue.fifo",
  DEAD_LETTER_QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/1/dead.fifo",
};

describe("receiveConfig", () => {
  it("reads what infra sets, and defaults the options", () => {
    expect(receiveConfig(receive)).toMatchObject({
      aws: {
        region: "eu-west-1",
        credentials: { accessKeyId: "AKID", secretAccessKey: "wJalr", sessionToken: "token" },
        ssmEndpoint: "https://ssm.eu-west-1.amazonaws.com",
        sqsEndpoint: "https://sqs.eu-west-1.amazonaws.com",
      },
      stackName: "stack",
      webhookSecretParameter: "/secret",
      queueUrl: receive.QUEUE_URL,
      identify: {
        traitPrefix: "",
        traitStyle: "flagsmith",
        anonymousIdentities: "identify",
        markActive: true,
      },
      reading: { traits: false, segments: false },
      logUserId: "plain",
    });
  });

  it("compiles the selections", () => {
    const { identify, reading } = receiveConfig({
      ...receive,
      FLAGS: '{"include":["a*"]}',
      FLAGSMITH_TRAITS: '["plan"]',
      SEGMENTS: "true",
    });
    expect([identify.selectsFlag("ab"), identify.selectsFlag("b")]).toEqual([true, false]);
    expect([identify.selectsTrait?.("plan"), identify.selectsTrait?.("email")]).toEqual([true, false]);
    expect(reading).toEqual({ traits: true, segments: true });
    const all = receiveConfig({ ...receive, FLAGSMITH_TRAITS: "true" });
    expect(all.identify.selectsTrait?.("email")).toBe(true);
    expect(receiveConfig(receive).identify.selectsTrait).toBeUndefined();
  });

  it("lets the SDK-standard variables point at an emulator", () => {
    const config = receiveConfig({
      ...receive,
      AWS_ENDPOINT_URL_SSM: "http://127.0.0.1:1",
      AWS_ENDPOINT_URL_SQS: "http://127.0.0.1:2",
    });
    expect(config.aws).toMatchObject({
      ssmEndpoint: "http://127.0.0.1:1",
      sqsEndpoint: "http://127.0.0.1:2",
    });
  });

  it("finds China's API", () => {
    expect(receiveConfig({ ...receive, AWS_REGION: "cn-north-1" }).aws.ssmEndpoint).toBe(
      "https://ssm.cn-north-1.amazonaws.com.cn",
    );
  });

  it("gathers every fault and names each variable", () => {
    const faulty = () => receiveConfig({ ...aws, QUEUE_URL: "queue", TRAIT_STYLE: "loose" });
    expect(faulty).toThrow(
      [
        "4 configuration fault(s):",
        '  - TRAIT_STYLE: allowed is "flagsmith" or "typed"; got "loose"',
        "  - QUEUE_URL: must be the URL of a queue",
        "  - STACK_NAME: missing; the stack sets it, deploy it again",
        "  - WEBHOOK_SECRET_PARAMETER: missing; the stack sets it, deploy it again",
      ].join("\n"),
    );
  });
});

describe("deliverConfig", () => {
  it("reads what infra sets, and defaults the options", () => {
    expect(deliverConfig(deliver)).toMatchObject({
      aws: { sqsEndpoint: "https://sqs.eu-west-1.amazonaws.com" },
      writeKeyParameter: "/key",
      queueUrl: deliver.QUEUE_URL,
      deadLetterQueueUrl: deliver.DEAD_LETTER_QUEUE_URL,
      segmentEndpoint: "https://api.segment.io",
      dryRun: false,
      logUserId: "plain",
    });
  });

  it("sends to the region, or the endpoint, that was chosen", () => {
    const eu = { ...deliver, SEGMENT_REGION: "eu" };
    expect(deliverConfig(eu).segmentEndpoint).toBe("https://events.eu1.segmentapis.com");
    expect(deliverConfig({ ...eu, SEGMENT_ENDPOINT: "https://p.example.com" }).segmentEndpoint).toBe(
      "https://p.example.com",
    );
  });

  it("gathers every fault and names each variable", () => {
    expect(() => deliverConfig({ ...deliver, WRITE_KEY_PARAMETER: "", DRY_RUN: "maybe" })).toThrow(
      /2 configuration fault\(s\):\n.*DRY_RUN: allowed is true or false; got "maybe"\n.*WRITE_KEY_PARAMETER: missing/,
    );
  });
});
