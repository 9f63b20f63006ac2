import { inspect } from "node:util";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { createLog } from "../../lambda/log";
import { parseEvaluation } from "../../lambda/receive/evaluation";
import { type ReceiveHandler, receiveHandler } from "../../lambda/receive/receive";
import { NOON, webhookEvent } from "../cloud/events";
import { captureOutput } from "../support/capture";
import { FakeParameter, FakeQueue, identifyOptions } from "../support/fakes";
import { type FuzzRequest, MARKER, SECRET } from "./requests";

export interface Outcome {
  readonly status: number;
  /** What is wrong with the answer; undefined = nothing. */
  readonly fault: string | undefined;
  /** Milliseconds of CPU. */
  readonly cpu: number;
}

/** Sends one request to receive, while all services work, and judges the result. */
export async function judge(request: FuzzRequest): Promise<Outcome> {
  const queue = new FakeQueue();
  const receive: ReceiveHandler = receiveHandler({
    stackName: "fuzz",
    mapping: { ...identifyOptions, selectsTrait: () => true, segments: true },
    reasonToSkip: () => undefined,
    secret: new FakeParameter([SECRET]),
    queue,
    log: createLog({ functionName: "receive", logUserId: "plain", lambdaLogLevel: undefined }),
    now: () => NOON,
    budgetMs: 6_000,
  });
  const { body, ...event } = webhookEvent({ signature: request.signature ?? null });
  const asked = { ...event, ...(request.body === undefined ? {} : { body: request.body }) };
  const capture = captureOutput();
  const before = process.cpuUsage();
  const response = await receive({ ...asked, isBase64Encoded: request.isBase64Encoded }, { awsRequestId: "invocation" });
  const { user, system } = process.cpuUsage(before);
  capture.end();
  const status = response.statusCode ?? 0;
  const written = `${response.body} ${capture.text()}`;
  const fault = faultOf(request, status, written, capture.lines().length, queue.sent.length);
  return { status, fault, cpu: (user + system) / 1_000 };
}

function faultOf(request: FuzzRequest, status: number, written: string, lines: number, queued: number): string | undefined {
  const authentic = request.signature === request.right;
  if (!authentic && status !== 401) return `answered ${status} to a wrong signature`;
  if (authentic && ![200, 202, 400].includes(status)) return `answered ${status} to a right signature`;
  if (queued > 0 !== (status === 202)) return `answered ${status} and queued ${queued}`;
  if (lines !== 1) return `wrote ${lines} lines`;
  if (written.includes(SECRET)) return "the secret got out";
  if (written.includes(request.right)) return "the right signature got out";
  if (request.signature && request.signature.length > 20 && written.includes(request.signature)) {
    return "the given signature got out";
  }
  // The user and the names of flags of an accepted evaluation are logged on purpose; a mutation may have put a value there.
  const names = /"(userId|renamed|overwritten|cut)":("[^"]*"|\[[^\]]*\])/g;
  if ((status === 202 ? written.replaceAll(names, "") : written).includes(MARKER)) return "a value of the body got out";
  const errors = errorOf(() => parseEvaluation(request.bytes)) + errorOf(() => parseIdentifyCall(request.bytes.toString()));
  return errors.includes(MARKER) ? "an error holds a value of the body" : undefined;
}

/** Returns all that an error contains, with its causes and hidden fields, because printing an error prints them. Returns "" without an error. */
function errorOf(act: () => unknown): string {
  try {
    act();
    return "";
  } catch (error) {
    return inspect(error, { depth: 20, showHidden: true, maxStringLength: Number.POSITIVE_INFINITY });
  }
}
