import { createServer, type Server } from "node:http";
import { bodyOf } from "./server";

/** What SSM may do instead of answering. */
export type SsmBehaviour = "throttled" | "denied" | "hanging" | undefined;

const REFUSALS = { throttled: "ThrottlingException", denied: "AccessDeniedException" } as const;

interface StoredParameter {
  readonly type: string;
  readonly value: string;
  readonly changedAt: number;
}

/** Seconds since 1970. */
const LONG_AGO = Date.UTC(2026, 0, 1) / 1_000;

/** SSM Parameter Store: `GetParameter`. */
export class FakeSsm {
  readonly #values = new Map<string, StoredParameter>();

  /** `behave` is asked at each read. */
  constructor(private readonly behave: () => SsmBehaviour = () => undefined) {}

  /** `changedAt`: in seconds since 1970. */
  set(name: string, value: string, type = "SecureString", changedAt = LONG_AGO): void {
    this.#values.set(name, { type, value, changedAt });
  }

  get(name: string): StoredParameter | undefined {
    return this.#values.get(name);
  }

  delete(name: string): void {
    this.#values.delete(name);
  }

  readonly server: Server = createServer(async (request, response) => {
    const { Name: name, WithDecryption: decrypt } = JSON.parse((await bodyOf(request)).toString());
    const behaviour = this.behave();
    if (behaviour === "hanging") return;
    const answer = (status: number, body: object) =>
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
    const signed = request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ") === true;
    const found = this.#values.get(name);
    if (behaviour !== undefined) answer(400, { __type: REFUSALS[behaviour] });
    else if (request.headers["x-amz-target"] !== "AmazonSSM.GetParameter") answer(400, { __type: "UnknownOperationException" });
    else if (!signed) answer(400, { __type: "MissingAuthenticationToken" });
    else if (found === undefined) answer(400, { __type: "ParameterNotFound" });
    else {
      // Without decryption a SecureString comes as ciphertext: of no use to the functions.
      const value = decrypt === true ? found.value : Buffer.from(`encrypted ${found.value.length}`).toString("base64");
      answer(200, { Parameter: { Name: name, Type: found.type, Value: value, Version: 1, LastModifiedDate: found.changedAt } });
    }
  });
}
