import { createLog } from "../../lambda/log";
import { type ReceiveHandler, receiveHandler } from "../../lambda/receive/receive";
import { NOON, webhookEvent } from "../cloud/events";
import { captureOutput } from "../support/capture";
import { FakeParameter, FakeQueue, identifyOptions } from "../support/fakes";
import { type FuzzRequest, MARKER, SECRET } from "./requests";

export interface Outcome {
  readonly status: number;
  /** What is wrong with it; undefined = nothing. */
  readonly fault: string | undefined;
  /** Milliseconds of CPU. */
  readonly cpu: number;
}

/** Sends one request to receive, whose outside world is in good order, and judges what comes out. */
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
  const told = `${response.body} ${capture.text()}`;
  const fault = faultOf(request, status, told, capture.lines().length, queue.sent.length);
  return { status, fault, cpu: (user + system) / 1_000 };
}

function faultOf(request: FuzzRequest, status: number, told: string, lines: number, queued: number): string | undefined {
  const authentic = request.signature === request.right;
  if (!authentic && status !== 401) return `answered ${status} to a wrong signature`;
  if (authentic && ![200, 202, 400].includes(status)) return `answered ${status} to a right signature`;
  if (queued > 0 !== (status === 202)) return `answered ${status} and queued ${queued}`;
  if (lines !== 1) return `wrote ${lines} lines`;
  if (told.includes(SECRET)) return "told the secret";
  if (told.includes(request.right)) return "told the signature";
  if (request.signature && request.signature.length > 20 && told.includes(request.signature)) {
    return "told the signature that was given";
  }
  // An accepted person and the names of flags are told on purpose; a mutation may have put a value there.
  if (status !== 202 && told.includes(MARKER)) return "told a value of the body";
  if (status === 202 && told.replaceAll(/"(userId|renamed|overwritten|cut)":("[^"]*"|\[[^\]]*\])/g, "").includes(MARKER)) {
    return "told a value of the body";
  }
  return undefined;
}
