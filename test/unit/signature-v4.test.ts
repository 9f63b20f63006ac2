import fc from "fast-check";
import { type Credentials, SignatureV4, type UnsignedPost } from "../../lambda/adapters/signature-v4";
import { officialAuthorization } from "../support/official-signer";
import { describeProperties } from "../support/seed";

const credentials = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const scope = { credentials, region: "us-east-1", service: "sqs" };
const NOON = Date.UTC(2026, 10, 23, 12, 34, 56, 789);
const post = (overrides: Partial<UnsignedPost> = {}): UnsignedPost => ({
  host: "sqs.us-east-1.amazonaws.com",
  contentType: "application/x-amz-json-1.0",
  target: "AmazonSQS.SendMessageBatch",
  body: '{"Entries":[]}',
  ...overrides,
});

/** Names and values by turns, as Node.js takes them. */
function headersOf(list: readonly string[]): Readonly<Record<string, string>> {
  const pairs = list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]]] : []));
  return Object.fromEntries(pairs);
}

const signerOf = ({ credentials: own, region, service }: typeof scope) =>
  new SignatureV4(own, region, service);

describe("SignatureV4", () => {
  it("gives every header of the request but the body's length", () => {
    const headers = headersOf(signerOf(scope).sign(post(), NOON));
    expect(headers).toEqual({
      "content-type": "application/x-amz-json-1.0",
      host: "sqs.us-east-1.amazonaws.com",
      "x-amz-date": "20261123T123456Z",
      "x-amz-target": "AmazonSQS.SendMessageBatch",
      authorization: expect.stringMatching(
        /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20261123\/us-east-1\/sqs\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=[0-9a-f]{64}$/,
      ),
    });
  });

  it("signs a role's session token as well", () => {
    const role: Credentials = { ...credentials, sessionToken: "token" };
    const headers = headersOf(new SignatureV4(role, "us-east-1", "sqs").sign(post(), NOON));
    expect(headers["x-amz-security-token"]).toBe("token");
    expect(headers.authorization).toContain("x-amz-date;x-amz-security-token;x-amz-target,");
  });

  it("takes a new key at midnight, and the old one again if the clock is set back", async () => {
    const signer = signerOf(scope);
    for (const at of [NOON, NOON + 86_400_000, NOON]) {
      const headers = headersOf(signer.sign(post(), at));
      expect(headers.authorization).toBe(await officialAuthorization({ headers, body: post().body }, scope));
    }
  });
});

describeProperties("SignatureV4", () => {
  it("is what AWS's own signer gives", async () => {
    const word = fc.string({ unit: fc.constantFrom(..."abcXYZ019/+="), minLength: 1, maxLength: 40 });
    const keys = fc.record(
      { accessKeyId: word, secretAccessKey: word, sessionToken: word },
      { requiredKeys: ["accessKeyId", "secretAccessKey"] },
    );
    const region = fc.constantFrom("us-east-1", "eu-west-1", "cn-north-1");
    const service = fc.constantFrom("sqs", "ssm", "dynamodb");
    const body = fc.string({ unit: "grapheme", maxLength: 300 });
    const at = fc.integer({ min: 0, max: Date.UTC(2100, 0) });
    await fc.assert(
      fc.asyncProperty(
        fc.record({ credentials: keys, region, service }),
        body,
        at,
        async (within, text, now) => {
          const headers = headersOf(
            new SignatureV4(within.credentials, within.region, within.service).sign(
              post({ body: text }),
              now,
            ),
          );
          expect(headers.authorization).toBe(await officialAuthorization({ headers, body: text }, within));
        },
      ),
    );
  });
});
