import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { LogLine } from "../support/capture";
import { bodyOf } from "./server";
import type { FakeSqs } from "./sqs";
import type { FakeSsm } from "./ssm";

export interface LocalFunction {
  readonly name: string;
  readonly logGroup: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** What the commands of `infra/cli` read of Lambda, CloudFormation, CloudWatch, CloudWatch Logs and SNS, and no more. */
export interface ControlPlaneOptions {
  readonly sqs: FakeSqs;
  readonly ssm: FakeSsm;
  readonly functions: readonly LocalFunction[];
  /** Those of function `service` are in the log group of that function. */
  readonly lines: () => readonly LogLine[];
}

/** What a test may set. */
export interface ControlPlaneState {
  eventSource: string;
  concurrency: number;
  /** Of it, kept for receive. */
  reserved: number | undefined;
  /** By name, with their state. */
  alarms: Readonly<Record<string, "OK" | "ALARM">>;
  /** ARNs of what each alarm does. */
  actions: readonly string[];
  /** Addresses, with the ARN of the subscription. */
  subscriptions: Readonly<Record<string, string>>;
  /** Status of stacks that have no functions, by name. */
  stacks: Readonly<Record<string, string>>;
  /** Seconds. */
  oldest: number | undefined;
  /** Actions that are refused, with AWS's error. */
  refused: Readonly<Record<string, string>>;
  apiId: string | undefined;
}

export const TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms";

/** All services of AWS at one address, as its emulators have them. */
export class ControlPlane {
  readonly state: ControlPlaneState = {
    eventSource: "Enabled",
    concurrency: 1_000,
    reserved: undefined,
    alarms: {},
    actions: [TOPIC],
    subscriptions: {},
    stacks: {},
    oldest: undefined,
    refused: {},
    apiId: undefined,
  };

  constructor(private readonly options: ControlPlaneOptions) {}

  readonly server: Server = createServer((request, response) => {
    const target = String(request.headers["x-amz-target"] ?? "");
    const [service = "", action = ""] = target.split(".");
    const { sqs, ssm } = this.options;
    if (this.state.refused[action] !== undefined) return void this.#refuse(response, this.state.refused[action]);
    if (service === "AmazonSQS") return void sqs.server.emit("request", request, response);
    if (service === "AmazonSSM") return void ssm.server.emit("request", request, response);
    void this.#answer(request, response, action);
  });

  #refuse(response: ServerResponse, type: string): void {
    response
      .writeHead(400, { "content-type": "application/x-amz-json-1.1" })
      .end(JSON.stringify({ __type: type, message: "not you" }));
  }

  async #answer(request: IncomingMessage, response: ServerResponse, target: string): Promise<void> {
    const body = (await bodyOf(request)).toString();
    const path = (request.url ?? "").split("?")[0] ?? "";
    const form = new URLSearchParams(body);
    const action = target || form.get("Action") || path;
    if (form.has("Action")) return this.#answerXml(response, action, form);
    const input = body === "" ? {} : JSON.parse(body);
    const answer = this.#json(action, input);
    response
      .writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" })
      .end(JSON.stringify(answer ?? {}));
  }

  #json(action: string, input: Readonly<Record<string, unknown>>): object | undefined {
    const { eventSource, concurrency, reserved, alarms, actions, oldest, apiId } = this.state;
    switch (action) {
      case "/2015-03-31/functions":
        return { Functions: this.options.functions.map(toFunction) };
      case "/2015-03-31/event-source-mappings":
        return { EventSourceMappings: [{ State: eventSource, ScalingConfig: { MaximumConcurrency: 10 } }] };
      case "/2016-08-19/account-settings":
        return { AccountLimit: { ConcurrentExecutions: concurrency, UnreservedConcurrentExecutions: concurrency } };
      case "DescribeAlarms":
        return {
          MetricAlarms: Object.entries(alarms).map(([AlarmName, StateValue]) => ({
            AlarmName,
            StateValue,
            AlarmActions: actions,
          })),
        };
      case "GetMetricStatistics":
        return {
          Datapoints: oldest === undefined ? [] : [{ Timestamp: Date.now() / 1_000, Maximum: oldest, Unit: "Seconds" }],
        };
      case "FilterLogEvents":
        return { events: this.#filter(String(input.logGroupName), String(input.filterPattern), Number(input.startTime)) };
      default: {
        if (action.endsWith("/concurrency")) return { ReservedConcurrentExecutions: reserved };
        if (!action.endsWith("/policy") || apiId === undefined) return undefined;
        return { Policy: JSON.stringify({ SourceArn: `arn:aws:execute-api:us-east-1:000000000000:${apiId}/*/*/webhook` }) };
      }
    }
  }

  #filter(logGroup: string, pattern: string, startTime: number): readonly object[] {
    const name = this.options.functions.find((one) => one.logGroup === logGroup)?.name;
    const terms = [...pattern.matchAll(/\(\$\.(\w+) = ("(?:[^"\\]|\\.)*")\)/g)].map(([, field = "", value = ""]) => [
      field,
      JSON.parse(value),
    ]);
    const matches = (line: LogLine) =>
      terms.some(([field, value]) => {
        const found = line[field];
        return typeof found === "string" && (value.endsWith("*") ? found.startsWith(value.slice(0, -1)) : found === value);
      });
    return this.options
      .lines()
      .filter((line) => line.service === name && matches(line))
      .map((line) => ({ message: JSON.stringify(line), timestamp: Date.parse(String(line.timestamp)) }))
      .filter(({ timestamp }) => timestamp >= startTime);
  }

  #answerXml(response: ServerResponse, action: string, form: URLSearchParams): void {
    const { subscriptions, stacks } = this.state;
    const stack = stacks[form.get("StackName") ?? ""];
    const known = action === "DescribeStacks" ? stack !== undefined : form.get("TopicArn") === TOPIC;
    if (!known) {
      const error = "<Error><Type>Sender</Type><Code>ValidationError</Code><Message>does not exist</Message></Error>";
      return void response.writeHead(400, XML).end(`<ErrorResponse>${error}</ErrorResponse>`);
    }
    const members = Object.entries(subscriptions).map(
      ([address, arn]) => `<member><Endpoint>${address}</Endpoint><SubscriptionArn>${arn}</SubscriptionArn></member>`,
    );
    const result =
      action === "DescribeStacks"
        ? `<Stacks><member><StackStatus>${stack}</StackStatus></member></Stacks>`
        : `<Subscriptions>${members.join("")}</Subscriptions>`;
    response.writeHead(200, XML).end(`<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`);
  }
}

const XML = { "content-type": "text/xml" };

function toFunction({ name, logGroup, variables }: LocalFunction): object {
  return { FunctionName: name, LoggingConfig: { LogGroup: logGroup }, Environment: { Variables: variables } };
}
