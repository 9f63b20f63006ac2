import { RegionInfo } from "aws-cdk-lib/region-info";
import { readAws, readDeliverConfig, readReceiveConfig } from "../../lambda/config";

const lambda = {
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "AKID",
  AWS_SECRET_ACCESS_KEY: "wJalr",
  AWS_SESSION_TOKEN: "token",
};
const shared = { queueUrl: "https://sqs.eu-west-1.amazonaws.com/1/queue.fifo", urlSuffix: "amazonaws.com" };
const receive = { ...shared, stackName: "stack", webhookSecretParameter: "/secret" };
const deliver = { ...shared, queueArn: "arn", deadLetterQueueUrl: "https://sqs/1/dead.fifo", writeKeyParameter: "/key" };

describe("CONFIG", () => {
  it("is read as infra wrote it", () => {
    expect(readReceiveConfig({ CONFIG: JSON.stringify(receive) })).toEqual(receive);
    expect(readDeliverConfig({ CONFIG: JSON.stringify(deliver) })).toEqual(deliver);
  });

  it.each([
    ["missing", undefined],
    ["not JSON", "{"],
    ["not an object", "[]"],
    ["another function's", JSON.stringify(receive)],
  ])("is rejected if it is %s", (_, CONFIG) => {
    expect(() => readDeliverConfig({ CONFIG })).toThrow("CONFIG: not what the stack writes; deploy it again");
  });
});

describe("the environment of Lambda", () => {
  const config = { ...shared, kmsKeyArn: undefined, logUserId: "plain" } as const;

  it("gives the region, the credentials and the endpoints of AWS", () => {
    const { region, credentials, endpointOf } = readAws(lambda, config);
    expect(region).toBe("eu-west-1");
    expect(credentials).toEqual({ accessKeyId: "AKID", secretAccessKey: "wJalr", sessionToken: "token" });
    expect((["ssm", "sqs", "dynamodb"] as const).map(endpointOf)).toEqual([
      "https://ssm.eu-west-1.amazonaws.com",
      "https://sqs.eu-west-1.amazonaws.com",
      "https://dynamodb.eu-west-1.amazonaws.com",
    ]);
  });

  it("is rejected with the names of all variables that are missing", () => {
    expect(() => readAws({ AWS_REGION: "eu-west-1" }, config)).toThrow(
      "2 configuration error(s):\n  - AWS_ACCESS_KEY_ID: missing; Lambda sets it\n  - AWS_SECRET_ACCESS_KEY: missing; Lambda sets it",
    );
  });

  it("gives the endpoint of an emulator, by the service's own variable first", () => {
    const { endpointOf } = readAws({ ...lambda, AWS_ENDPOINT_URL: "http://all", AWS_ENDPOINT_URL_SSM: "http://ssm" }, config);
    expect((["ssm", "sqs", "dynamodb"] as const).map(endpointOf)).toEqual(["http://ssm", "http://all", "http://all"]);
  });

  // The deployment gives the suffix as AWS::URLSuffix, which CDK's table of regions knows as well.
  it.each(RegionInfo.regions.map(({ name, domainSuffix = "" }) => [name, domainSuffix]))(
    "gives the endpoint of %s",
    (name, urlSuffix) => {
      const { endpointOf } = readAws({ ...lambda, AWS_REGION: name }, { ...config, urlSuffix });
      expect(endpointOf("ssm")).toBe(`https://ssm.${name}.${urlSuffix}`);
      expect(urlSuffix).toMatch(/^[a-z0-9.-]+$/);
    },
  );
});
