import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of a role, as Lambda's are. */
  readonly sessionToken?: string;
}

/** A POST to the root, which is all that AWS's JSON protocols know. */
export interface UnsignedPost {
  readonly host: string;
  readonly contentType: string;
  /** `AmazonSQS.SendMessageBatch` */
  readonly target: string;
  readonly body: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";

/**
 * AWS Signature Version 4 of the calls to one API. Own code, because the road's every call is signed: signers for any request
 * take three to six times its 6 µs, and 0.6 ms of each cold start.
 */
export class SignatureV4 {
  readonly #credentials: Credentials;
  readonly #scope: readonly string[];
  #key: { readonly date: string; readonly key: KeyObject } | undefined;

  constructor(credentials: Credentials, region: string, service: string) {
    this.#credentials = credentials;
    this.#scope = [region, service, "aws4_request"];
  }

  /** The headers of the signed request but for the body's length, names and values by turns. `now` in milliseconds since 1970. */
  sign({ host, contentType, target, body }: UnsignedPost, now: number): readonly string[] {
    const { accessKeyId, sessionToken } = this.#credentials;
    const time = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, "");
    const date = time.slice(0, 8);
    // In the order of their names, as they are signed.
    const headers = ["content-type", contentType, "host", host, "x-amz-date", time];
    if (sessionToken !== undefined) headers.push("x-amz-security-token", sessionToken);
    headers.push("x-amz-target", target);

    const { lines, names } = canonical(headers);
    const request = `POST\n/\n\n${lines}\n${names}\n${sha256(body)}`;
    const scope = `${date}/${this.#scope.join("/")}`;
    const signature = createHmac("sha256", this.#keyOf(date))
      .update(`${ALGORITHM}\n${time}\n${scope}\n${sha256(request)}`)
      .digest("hex");
    const credential = `${accessKeyId}/${scope}`;
    headers.push(
      "authorization",
      `${ALGORITHM} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
    );
    return headers;
  }

  /** It changes at midnight UTC. A key object: Node.js 24 takes 13 µs at each use to find out that a key is a Buffer. */
  #keyOf(date: string): KeyObject {
    if (this.#key?.date !== date) {
      const secret = createSecretKey(`AWS4${this.#credentials.secretAccessKey}`, "utf8");
      const key = [date, ...this.#scope].reduce(
        (derived, part) => createSecretKey(createHmac("sha256", derived).update(part).digest()),
        secret,
      );
      this.#key = { date, key };
    }
    return this.#key.key;
  }
}

function canonical(headers: readonly string[]): { readonly lines: string; readonly names: string } {
  let lines = "";
  let names = "";
  for (let i = 0; i < headers.length; i += 2) {
    lines += `${headers[i]}:${headers[i + 1]}\n`;
    names += i === 0 ? headers[i] : `;${headers[i]}`;
  }
  return { lines, names };
}

function sha256(text: string): string {
  return hash("sha256", text, "hex");
}
