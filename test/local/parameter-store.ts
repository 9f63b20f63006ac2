import { createServer, type IncomingMessage, type Server } from "node:http";

/** What SSM may do instead of answering. */
export type SsmBehaviour = "throttled" | "denied" | "hanging" | undefined;

const REFUSALS = { throttled: "ThrottlingException", denied: "AccessDeniedException" } as const;

export interface ParameterStoreOptions {
  /** Asked at each read. @default - answers */
  readonly behave?: () => SsmBehaviour;
}

/** SSM Parameter Store, as far as it speaks `GetParameter` of the JSON protocol. */
export class ParameterStore {
  readonly #values = new Map<string, { readonly type: string; readonly value: string }>();
  readonly #behave: () => SsmBehaviour;

  constructor(options: ParameterStoreOptions = {}) {
    this.#behave = options.behave ?? (() => undefined);
  }

  put(name: string, value: string, type = "SecureString"): void {
    this.#values.set(name, { type, value });
  }

  get(name: string): { readonly type: string; readonly value: string } | undefined {
    return this.#values.get(name);
  }

  delete(name: string): void {
    this.#values.delete(name);
  }

  readonly server: Server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const behaviour = this.#behave();
    if (behaviour === "hanging") return;
    const { status, answer } =
      behaviour === undefined ? this.#answer(request, body) : fault(REFUSALS[behaviour]);
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(answer));
  });

  #answer(request: IncomingMessage, body: Buffer): { readonly status: number; readonly answer: unknown } {
    if (request.headers["x-amz-target"] !== "AmazonSSM.GetParameter")
      return fault("UnknownOperationException");
    if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 "))
      return fault("MissingAuthenticationToken");
    const { Name: name, WithDecryption: decrypt } = JSON.parse(body.toString());
    const found = this.#values.get(name);
    if (found === undefined) return fault("ParameterNotFound");
    const { type, value } = found;
    // Without decryption a SecureString comes as ciphertext: of no use to the functions.
    const shown = decrypt === true ? value : Buffer.from(`encrypted ${value.length}`).toString("base64");
    return {
      status: 200,
      answer: { Parameter: { Name: name, Type: type, Value: shown, Version: 1 } },
    };
  }
}

function fault(type: string): { readonly status: number; readonly answer: unknown } {
  return { status: 400, answer: { __type: type } };
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
