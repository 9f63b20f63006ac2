import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import { AwsJson } from "../../lambda/adapters/aws-json";
import { type Behaviour, Loopback, type LoopbackRequest } from "../support/loopback";

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
    expect(request.headers.authorization).toBe(await officialSignature(request));
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
});

class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const key = typeof secret === "string" ? secret : secret && bytes(secret);
    this.#hash = key === undefined ? createHash("sha256") : createHmac("sha256", key);
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === "string" ? data : bytes(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    throw new Error("not used");
  }
}

function bytes(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** What AWS's own signer gives for the headers that were signed. */
async function officialSignature(request: LoopbackRequest): Promise<string | undefined> {
  const signed = /SignedHeaders=([^,]+)/.exec(request.headers.authorization ?? "")?.[1]?.split(";") ?? [];
  const date = String(request.headers["x-amz-date"]);
  const signer = new SignatureV4({
    credentials,
    region: "eu-west-1",
    service: "sqs",
    sha256: Sha256,
    applyChecksum: false,
  });
  const { headers } = await signer.sign(
    {
      method: request.method,
      protocol: "http:",
      hostname: "127.0.0.1",
      port: loopback.port,
      path: request.path,
      headers: Object.fromEntries(signed.map((name) => [name, String(request.headers[name])])),
      body: request.body,
    },
    {
      signingDate: new Date(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z")),
    },
  );
  return headers.authorization;
}
