import { tryParseJson } from "../../lambda/json";
import { CommandError } from "./command";

/** The answer does not have AWS's documented format. It may be from a proxy. */
export class NotAwsAnswerError extends CommandError {}

const PROXY = "not an answer of AWS: is a proxy in between?";

/** @param status HTTP status. undefined = it is not known. */
export function notAnAnswer(status: unknown, options?: ErrorOptions): NotAwsAnswerError {
  return new NotAwsAnswerError(`${typeof status === "number" ? `status ${status}, ` : ""}${PROXY}`, options);
}

/** A field that AWS's answer always has. A missing field must not be read as an empty list. @throws NotAwsAnswerError if it is missing */
export function required<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new NotAwsAnswerError(`an answer without ${name}, ${PROXY}`);
  return value;
}

interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  body: AsyncIterable<Uint8Array> | Uint8Array;
}

/** The part of an SDK client that this file uses. */
interface Client {
  readonly middlewareStack: {
    // biome-ignore lint/suspicious/noExplicitAny: each client's stack has its own types of input and output
    add(middleware: (next: any) => (args: any) => Promise<any>, options: object): void;
  };
}

/** Passes only AWS's formats to the SDK, because the SDK reads some HTML pages as an answer without fields. */
export function guarded<Guarded extends Client>(client: Guarded): Guarded {
  const guard = (next: (args: object) => Promise<{ response: HttpAnswer }>) => async (args: object) => {
    const result = await next(args);
    const { response } = result;
    const chunks: Uint8Array[] = [];
    if (response.body instanceof Uint8Array) chunks.push(response.body);
    else for await (const chunk of response.body) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (!isOfAws(response.headers["content-type"] ?? "", body.toString())) throw notAnAnswer(response.statusCode);
    response.body = body;
    return result;
  };
  // Low priority makes this the last step before the SDK reads the body.
  client.middlewareStack.add(guard, { step: "deserialize", name: "onlyOfAws", priority: "low" });
  return client;
}

function isOfAws(contentType: string, body: string): boolean {
  if (contentType.includes("cbor") || body.trim() === "") return true;
  if (/^\s*[{[]/.test(body)) return tryParseJson(body) !== undefined;
  return /^\s*(<\?xml[^>]*>\s*)?<\w+(Response|Result|Error)\b/.test(body);
}
