import { createHash, createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Credentials } from "../../lambda/adapters/signature-v4";

export interface SignedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What AWS's own signer gives for a POST to the root, at the time and for the headers that it was signed with. */
export async function officialAuthorization(
  { headers, body }: SignedRequest,
  scope: { readonly credentials: Credentials; readonly region: string; readonly service: string },
): Promise<string | undefined> {
  const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? "")?.[1]?.split(";") ?? [];
  const time = String(headers["x-amz-date"]).replace(/^(.{4})(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const signer = new SignatureV4({ ...scope, sha256: Sha256, applyChecksum: false });
  const request = await signer.sign(
    {
      method: "POST",
      protocol: "https:",
      hostname: String(headers.host),
      path: "/",
      headers: Object.fromEntries(signed.map((name) => [name, String(headers[name])])),
      body,
    },
    { signingDate: new Date(time) },
  );
  return request.headers.authorization;
}

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
