import { sign } from "../../lambda/receive/signature";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Posts the exact bytes with their signature, as Flagsmith does. */
export async function postSigned(url: string, body: Buffer, secret: string): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-flagsmith-signature": sign(body, secret) },
    body: new Uint8Array(body),
    redirect: "manual",
  });
  return { status: response.status, body: await response.text() };
}
