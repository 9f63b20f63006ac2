import { readAws, readDeliverConfig, readReceiveConfig } from "../../lambda/config";

const keys = { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "wJalr", AWS_SESSION_TOKEN: "token" };
const lambda = { AWS_REGION: "eu-west-1", ...keys };
const shared = { queueUrl: "https://sqs.eu-west-1.amazonaws.com/1/queue.fifo", urlSuffix: "amazonaws.com" };
const receive = { ...shared, stackName: "stack", webhookSecretParameter: "/secret" };
const deliver = { ...shared, queueArn: "arn", deadLetterQueueUrl: "https://sqs/1/dead.fifo", writeKeyParameter: "/key" };

describe("CONFIG", () => {
  it("is read as infra wrote it", () => {
    expect(readReceiveConfig({ CONFIG: JSON.stringify(receive) })).toEqual(receive);
    expect(readDeliverConfig({ CONFIG: JSON.stringify(deliver) })).toEqual(deliver);
  });

  it.each<[string, string | undefined]>([
    ["missing", undefined],
    ["not JSON", "{"],
    ["not an object", "[]"],
    ["another function's", JSON.stringify(receive)],
    ...Object.keys(deliver).map((name): [string, string] => [
      `without ${name}`,
      JSON.stringify({ ...deliver, [name]: undefined }),
    ]),
  ])("is rejected if it is %s", (_, CONFIG) => {
    expect(() => readDeliverConfig({ CONFIG })).toThrow("CONFIG: not what the stack writes; deploy it again");
  });
});

describe("the environment of Lambda", () => {
  const config = { ...shared, kmsKeyArn: undefined, logUserId: "plain" } as const;

  it("gives the region and the credentials", () => {
    const { region, credentials } = readAws(lambda, config);
    expect(region).toBe("eu-west-1");
    expect(credentials).toEqual({ accessKeyId: "AKID", secretAccessKey: "wJalr", sessionToken: "token" });
  });

  it("is rejected with the names of all variables that are missing", () => {
    expect(() => readAws({ AWS_REGION: "eu-west-1" }, config)).toThrow(
      "2 configuration error(s):\n  - AWS_ACCESS_KEY_ID: missing; Lambda sets it\n  - AWS_SECRET_ACCESS_KEY: missing; Lambda sets it",
    );
  });

  const queueOrigin = "https://sqs.eu-west-1.amazonaws.com";
  const emulator = { AWS_ENDPOINT_URL: "http://all", AWS_ENDPOINT_URL_SSM: "http://ssm" };

  it.each([
    ["AWS", {}, "amazonaws.com", "https://ssm.eu-west-1.amazonaws.com", queueOrigin],
    ["China", { AWS_REGION: "cn-north-1" }, "amazonaws.com.cn", "https://ssm.cn-north-1.amazonaws.com.cn", queueOrigin],
    ["an emulator", emulator, "amazonaws.com", "http://ssm", "http://all"],
  ])("gives the endpoints of SSM and SQS: %s", (_, variables, urlSuffix, ssm, sqs) => {
    const { endpointOf } = readAws({ ...lambda, ...variables }, { ...config, urlSuffix });
    expect([endpointOf("ssm"), endpointOf("sqs")]).toEqual([ssm, sqs]);
  });
});
