import { createServer, type Server } from "node:http";
import { ACCOUNT, bodyOf, REGION } from "./server";

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

/** SSM Parameter Store: `GetParameter` and `PutParameter`. */
export class FakeSsm {
  readonly #values = new Map<string, StoredParameter>();
  /** The key that encrypts a parameter, by the parameter's name; undefined = SSM's own key. */
  readonly keyIds = new Map<string, string | undefined>();

  /** `behave` is asked at each request. */
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
    const input = JSON.parse((await bodyOf(request)).toString());
    const { Name: name, WithDecryption: decrypt } = input;
    const action = String(request.headers["x-amz-target"]).replace("AmazonSSM.", "");
    const behaviour = this.behave();
    if (behaviour === "hanging") return;
    const answer = (status: number, body: object) =>
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
    const signed = request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ") === true;
    const found = this.#values.get(name);
    if (behaviour !== undefined) answer(400, { __type: REFUSALS[behaviour] });
    else if (action !== "GetParameter" && action !== "PutParameter") answer(400, { __type: "UnknownOperationException" });
    else if (!signed) answer(400, { __type: "MissingAuthenticationToken" });
    else if (action === "PutParameter" && found !== undefined && input.Overwrite !== true) {
      answer(400, { __type: "ParameterAlreadyExists" });
    } else if (action === "PutParameter") {
      this.set(name, input.Value, input.Type, Date.now() / 1_000);
      this.keyIds.set(name, input.KeyId);
      answer(200, { Version: 1, Tier: "Standard" });
    } else if (found === undefined) answer(400, { __type: "ParameterNotFound" });
    else {
      // Without decryption, SSM returns a SecureString as ciphertext, which the functions can't use.
      const value = decrypt === true ? found.value : Buffer.from(`encrypted ${found.value.length}`).toString("base64");
      const about = { Name: name, ARN: `arn:aws:ssm:${REGION}:${ACCOUNT}:parameter${name}`, Type: found.type };
      answer(200, { Parameter: { ...about, Value: value, Version: 1, LastModifiedDate: found.changedAt } });
    }
  });
}
