import { AwsJson } from "../../lambda/adapters/aws-json";
import { type Behaviour, Loopback } from "../support/loopback";
import { officialAuthorization } from "../support/official-signer";

const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI", sessionToken: "token" };

let loopback: Loopback;
let aws: AwsJson;

async function start(...behaviours: readonly Behaviour[]): Promise<AwsJson> {
  loopback = await Loopback.start((_, index) => behaviours[index] ?? { status: 500, body: "not given" });
  aws = new AwsJson({
    service: "sqs",
    region: "eu-west-1",
    endpoint: loopback.url,
    credentials,
    attemptTimeout: 200,
    attempts: 2,
    pause: 1,
    now: () => Date.now(),
  });
  return aws;
}

afterEach(async () => {
  aws.close();
  await loopback.stop();
});

const fault = (status: number, type: string, message = "quotes the request"): Behaviour => ({
  status,
  body: JSON.stringify({ __type: type, message }),
});

describe("AwsJson", () => {
  it("sends what the official signer would, and gives the parsed answer", async () => {
    await start({ body: '{"ok":1}' });
    await expect(aws.call("SendMessage", { MessageBody: "ключ" })).resolves.toEqual({ ok: 1 });
    const [request] = loopback.requests;
    if (request === undefined) throw new Error("no request");
    expect(request).toMatchObject({ method: "POST", path: "/", body: '{"MessageBody":"ключ"}' });
    expect(request.headers).toMatchObject({
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "AmazonSQS.SendMessage",
      "x-amz-security-token": "token",
    });
    const scope = { credentials, region: "eu-west-1", service: "sqs" };
    expect(request.headers.authorization).toBe(await officialAuthorization(request, scope));
  });

  it("uses one socket for calls that follow each other", async () => {
    await start({}, {});
    await aws.call("A", {});
    await aws.call("B", {});
    expect(new Set(loopback.requests.map(({ clientPort }) => clientPort)).size).toBe(1);
  });

  it.each<[string, Behaviour]>([
    ["a throttle", fault(400, "com.amazonaws.sqs#ThrottlingException")],
    ["429", { status: 429 }],
    ["408", { status: 408 }],
    ["a page instead of JSON", { status: 200, body: "<html>" }],
    ["500", { status: 500, body: "<html>" }],
    ["a reset", "reset"],
    ["silence", "hang"],
  ])("tries again after %s", async (_, first) => {
    await start(first, { body: '{"ok":1}' });
    await expect(aws.call("SendMessage", {})).resolves.toEqual({ ok: 1 });
  });

  it("gives up after its attempts, with the code of the last fault", async () => {
    await start({ status: 503 }, "hang");
    await expect(aws.call("SendMessage", {})).rejects.toMatchObject({
      message: "sqs:SendMessage failed: timeout",
      retryable: true,
      actor: "aws",
    });
    expect(loopback.requests).toHaveLength(2);
  });

  it("does not try again what is final, and does not quote AWS: its message may quote the request", async () => {
    await start(fault(400, "com.amazonaws.sqs#InvalidMessageContents"));
    await expect(aws.call("SendMessage", {})).rejects.toMatchObject({
      message: "sqs:SendMessage failed: InvalidMessageContents",
      code: "InvalidMessageContents",
      retryable: false,
      actor: "operator",
    });
    expect(loopback.requests).toHaveLength(1);
  });

  it("passes on why access was refused", async () => {
    await start(fault(400, "AccessDeniedException", "role R may not do sqs:SendMessage on Q"));
    await expect(aws.call("SendMessage", {})).rejects.toThrow(
      "sqs:SendMessage failed: AccessDeniedException (role R may not do sqs:SendMessage on Q)",
    );
  });

  it("ends when its time is over, and tries no more", async () => {
    await start("hang", "hang");
    await expect(aws.call("SendMessage", {}, Date.now() + 20)).rejects.toMatchObject({
      code: "timeout",
      retryable: true,
    });
    expect(loopback.requests.length).toBeLessThanOrEqual(1);
  });

  it("does not begin once its time is over", async () => {
    await start({});
    await expect(aws.call("SendMessage", {}, Date.now() - 50)).rejects.toMatchObject({ code: "timeout" });
    expect(loopback.requests).toEqual([]);
  });

  it("keeps the sockets of calls that went well", async () => {
    await start({}, {}, {}, {});
    await Promise.all([aws.call("A", {}), aws.call("B", {})]);
    await Promise.all([aws.call("C", {}), aws.call("D", {})]);
    expect(new Set(loopback.requests.map(({ clientPort }) => clientPort)).size).toBe(2);
  });

  it("takes a new socket once the old one was to be closed, or was", async () => {
    await start({ headers: { connection: "close" } }, {}, {});
    await aws.call("A", {});
    await aws.call("B", {});
    await loopback.closeIdle();
    await aws.call("C", {});
    expect(new Set(loopback.requests.map(({ clientPort }) => clientPort)).size).toBe(3);
  });

  it("trusts no idle socket beside one that turned out dead", async () => {
    const alive = Array<Behaviour>(3).fill({});
    await start(...alive, "reset", { body: '{"ok":1}' });
    await Promise.all(alive.map(() => aws.call("A", {})));
    await expect(aws.call("B", {})).resolves.toEqual({ ok: 1 });
    const ports = loopback.requests.map(({ clientPort }) => clientPort);
    expect(ports.slice(0, 3)).toContain(ports[3]);
    expect(ports.slice(0, 4)).not.toContain(ports[4]);
  });

  it("ends at an answer that is none", async () => {
    const upgrade = { status: 101, headers: { connection: "Upgrade", upgrade: "other" } };
    await start(upgrade, upgrade);
    await expect(aws.call("SendMessage", {})).rejects.toMatchObject({
      code: "HTTP_PROTOCOL",
      retryable: true,
    });
  });
});
