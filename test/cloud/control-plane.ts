import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { CONFIG_VARIABLE } from "../../lambda/config";
import { answerLogs, type LogLine, type LogSettings } from "./control-plane-logs";
import { ACCOUNT, bodyOf, REGION } from "./server";
import type { FakeSqs } from "./sqs";
import type { FakeSsm } from "./ssm";

export interface LocalFunction {
  readonly name: string;
  readonly logGroup: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** The fake knows only what the commands of `infra/cli` read of Lambda, CloudFormation, CloudWatch, CloudWatch Logs, SNS and STS. */
export interface ControlPlaneOptions {
  readonly sqs: FakeSqs;
  readonly ssm: FakeSsm;
  readonly functions: readonly LocalFunction[];
  /** Log entries. An entry is in the log group of the function that its field `service` names. */
  readonly lines: () => readonly LogLine[];
}

/** The type of an AWS error. A function is called at each request; if it returns undefined, the request is answered. */
export type Refusal = string | (() => string | undefined);

/** An answer that does not come from AWS. */
export interface BrokenAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What AWS reports about an alarm in addition to its name and state. */
export interface AlarmDetails {
  readonly AlarmActions?: readonly string[];
  readonly ActionsEnabled?: boolean;
  readonly StateUpdatedTimestamp?: number;
}

export interface HistoryItem {
  /** Seconds since 1970. */
  readonly Timestamp: number;
  readonly HistorySummary: string;
  readonly HistoryData?: string;
}

/** What a test can set. */
export interface ControlPlaneState extends LogSettings {
  /** State of the event source mapping; undefined = there is no mapping. */
  eventSource: string | undefined;
  lastResult: string | undefined;
  concurrency: number;
  /** The part of the concurrency that is reserved for receive. */
  reserved: number | undefined;
  /** State of each alarm, by name. */
  alarms: Readonly<Record<string, "OK" | "ALARM">>;
  /** Further fields of alarms, by name. */
  alarmDetails: Readonly<Record<string, AlarmDetails>>;
  /** The newest history items of alarms, by name. */
  history: Readonly<Record<string, readonly HistoryItem[]>>;
  /** ARNs of the actions of every alarm. */
  actions: readonly string[];
  /** ARN of each subscription to topic `TOPIC`, by the address. Several of one address are separated by blanks. */
  subscriptions: Readonly<Record<string, string>>;
  /** The same for other topics, by the topic's ARN. */
  topics: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Status of stacks that have no functions, by name. */
  stacks: Readonly<Record<string, string>>;
  /** Age of the oldest message in seconds; undefined = CloudWatch has no data. */
  oldest: number | undefined;
  /** Actions that AWS refuses, with the error. */
  refused: Readonly<Record<string, Refusal>>;
  /** Actions that something other than AWS answers. */
  broken: Readonly<Record<string, BrokenAnswer>>;
  apiId: string | undefined;
  /** ARN of the identity whose credentials the commands use. */
  caller: string;
  /** Whether receive has the alias `live`. */
  alias: boolean;
  /** Changes to the configuration of a function, by its name. */
  functions: Readonly<Record<string, FunctionChanges>>;
}

export interface FunctionChanges {
  /** Replaces fields of CONFIG. */
  readonly config?: object;
  readonly variables?: Readonly<Record<string, string>>;
  readonly logging?: object;
  /** Replaces fields of the alias's logging. The alias is what runs. */
  readonly aliasLogging?: object;
}

export const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:alarms`;

const NOT_THERE = "ResourceNotFoundException";

/** Actions of Lambda's REST API, by the end of the path. */
const LAMBDA_ACTIONS: readonly (readonly [path: RegExp, action: string])[] = [
  [/\/functions\/?$/, "ListFunctions"],
  [/\/event-source-mappings\/?$/, "ListEventSourceMappings"],
  [/\/account-settings\/?$/, "GetAccountSettings"],
  [/\/concurrency$/, "GetFunctionConcurrency"],
  [/\/configuration$/, "GetFunctionConfiguration"],
  [/\/policy$/, "GetPolicy"],
];

const SERVICES: Readonly<Record<string, string>> = { AmazonSQS: "sqs", AmazonSSM: "ssm", Logs_20140328: "logs" };

const SERVICES_OF_XML: Readonly<Record<string, string>> = { DescribeStacks: "cloudformation", GetCallerIdentity: "sts" };

/** All AWS services at one address, as in emulators of AWS. */
export class ControlPlane {
  readonly state: ControlPlaneState = {
    eventSource: "Enabled",
    lastResult: undefined,
    concurrency: 1_000,
    reserved: undefined,
    alarms: {},
    alarmDetails: {},
    history: {},
    actions: [TOPIC],
    subscriptions: {},
    topics: {},
    stacks: {},
    oldest: undefined,
    refused: {},
    broken: {},
    apiId: undefined,
    caller: `arn:aws:sts::${ACCOUNT}:assumed-role/Deployer/ann`,
    alias: true,
    functions: {},
    entries: [],
    pageSize: 1_000,
    repeatsToken: false,
    metricFilters: undefined,
  };
  /** Requests that this fake does not know. A test must find none. */
  readonly unexpected: string[] = [];

  constructor(private readonly options: ControlPlaneOptions) {}

  readonly server: Server = createServer((request, response) => {
    const target = String(request.headers["x-amz-target"] ?? "");
    const [service = "", action = ""] = target.split(".");
    const { sqs, ssm } = this.options;
    if (SERVICES[service] !== undefined && this.#isTurnedAway(response, SERVICES[service], action)) return;
    if (service === "AmazonSQS") return void sqs.server.emit("request", request, response);
    if (service === "AmazonSSM") return void ssm.server.emit("request", request, response);
    void this.#answer(request, response, action);
  });

  /** Answers with the error or the broken answer that a test has set. Returns false if there is neither. */
  #isTurnedAway(response: ServerResponse, service: string, action: string, isXml = false): boolean {
    const broken = this.state.broken[action];
    if (broken !== undefined) {
      response.writeHead(broken.status, { "content-type": broken.contentType }).end(broken.body);
      return true;
    }
    const refusal = this.state.refused[action];
    const type = typeof refusal === "function" ? refusal() : refusal;
    if (type === undefined) return false;
    const message = /AccessDenied|Authorization/.test(type)
      ? `User: arn:aws:sts::${ACCOUNT}:assumed-role/reader is not authorized to perform: ${service}:${action}`
      : "not now";
    if (isXml) refuseXml(response, type, message);
    else refuse(response, type, message);
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse, target: string): Promise<void> {
    const body = (await bodyOf(request)).toString();
    const url = new URL(request.url ?? "/", "http://aws");
    const form = new URLSearchParams(body);
    const ofXml = form.get("Action");
    const ofLambda = LAMBDA_ACTIONS.find(([path]) => path.test(url.pathname))?.[1];
    const action = target || ofXml || ofLambda || url.pathname;
    if (ofXml !== null) {
      const service = SERVICES_OF_XML[ofXml] ?? "sns";
      return this.#isTurnedAway(response, service, action, true) ? undefined : this.#answerXml(response, action, form);
    }
    const service = ofLambda === undefined ? "cloudwatch" : "lambda";
    // Services that are named in the header were checked before.
    if (!SERVICES[String(request.headers["x-amz-target"]).split(".")[0] ?? ""]) {
      if (this.#isTurnedAway(response, service, action)) return;
    }
    const [, name = ""] = /\/functions\/([^/]+)\//.exec(url.pathname) ?? [];
    const input = { ...(body === "" ? {} : JSON.parse(body)), name, alias: url.searchParams.get("Qualifier") };
    const answer = this.#json(action, input);
    if (answer === NOT_THERE) return refuse(response, NOT_THERE, "is not there", 404);
    if (answer === undefined) this.unexpected.push(`${action} ${body}`);
    const status = answer === undefined ? 501 : 200;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer ?? {}));
  }

  #json(action: string, input: Readonly<Record<string, unknown>>): object | typeof NOT_THERE | undefined {
    const { eventSource, lastResult, concurrency, reserved, oldest, apiId, alias, history } = this.state;
    if (typeof input.alias === "string" && !(alias && input.alias === "live" && input.name === "receive")) return NOT_THERE;
    switch (action) {
      case "ListFunctions":
        return { Functions: this.options.functions.map((one) => this.#function(one, false)) };
      case "GetFunctionConfiguration": {
        const found = this.options.functions.find(({ name }) => name === input.name);
        return found === undefined ? NOT_THERE : this.#function(found, input.alias === "live");
      }
      case "ListEventSourceMappings": {
        const mapping = { UUID: "mapping-1", State: eventSource, LastProcessingResult: lastResult };
        const all = [{ ...mapping, ScalingConfig: { MaximumConcurrency: 10 } }];
        return { EventSourceMappings: eventSource === undefined ? [] : all };
      }
      case "GetAccountSettings":
        return { AccountLimit: { ConcurrentExecutions: concurrency, UnreservedConcurrentExecutions: concurrency } };
      case "GetFunctionConcurrency":
        return { ReservedConcurrentExecutions: reserved };
      case "GetPolicy": {
        // The function's own policy does not have the permissions of its alias.
        if (apiId === undefined || alias !== (input.alias === "live")) return NOT_THERE;
        const SourceArn = `arn:aws:execute-api:${REGION}:${ACCOUNT}:${apiId}/*/*/webhook`;
        return { Policy: JSON.stringify({ SourceArn }) };
      }
      case "DescribeAlarms":
        return { MetricAlarms: this.#alarms(String(input.AlarmNamePrefix)) };
      case "DescribeAlarmHistory":
        return input.HistoryItemType === "Action" ? { AlarmHistoryItems: history[String(input.AlarmName)] ?? [] } : undefined;
      case "GetMetricStatistics": {
        if (`${input.Namespace} ${input.MetricName}` !== "AWS/SQS ApproximateAgeOfOldestMessage") return undefined;
        const point = (minutesAgo: number, Maximum: number) => ({ Timestamp: Date.now() / 1_000 - 60 * minutesAgo, Maximum });
        return { Datapoints: oldest === undefined ? [] : [point(1, 0), point(0, oldest), point(2, 0)] };
      }
      default:
        return answerLogs(action, input, this.options, this.state);
    }
  }

  #alarms(prefix: string): readonly object[] {
    const { alarms, actions, alarmDetails } = this.state;
    return Object.entries(alarms)
      .filter(([name]) => name.startsWith(prefix))
      .map(([AlarmName, StateValue]) => {
        return { AlarmName, StateValue, AlarmActions: actions, ActionsEnabled: true, ...alarmDetails[AlarmName] };
      });
  }

  #function({ name, logGroup, variables }: LocalFunction, isAlias: boolean): object {
    const { config, variables: more, logging, aliasLogging } = this.state.functions[name] ?? {};
    const own: object = JSON.parse(variables[CONFIG_VARIABLE] ?? "{}");
    return {
      FunctionName: name,
      LoggingConfig: { LogFormat: "Text", LogGroup: logGroup, ...logging, ...(isAlias ? aliasLogging : {}) },
      Environment: { Variables: { ...variables, [CONFIG_VARIABLE]: JSON.stringify({ ...own, ...config }), ...more } },
    };
  }

  #answerXml(response: ServerResponse, action: string, form: URLSearchParams): void {
    const { subscriptions, topics, stacks } = this.state;
    const all: ControlPlaneState["topics"] = { [TOPIC]: subscriptions, ...topics };
    const stack = stacks[form.get("StackName") ?? ""];
    const topic = all[form.get("TopicArn") ?? ""];
    if (action === "DescribeStacks") {
      const members = `<Stacks><member><StackStatus>${stack}</StackStatus></member></Stacks>`;
      if (stack === undefined) refuseXml(response, "ValidationError", "does not exist");
      else answerXml(response, action, members);
      return;
    }
    if (action === "GetCallerIdentity") {
      return void answerXml(response, action, `<Arn>${this.state.caller}</Arn><Account>${ACCOUNT}</Account>`);
    }
    if (action !== "ListSubscriptionsByTopic") this.unexpected.push(form.toString());
    if (topic === undefined) return void refuseXml(response, "NotFound", "Topic does not exist");
    const subscribed = Object.entries(topic).flatMap(([address, arns]) => arns.split(" ").map((arn) => [address, arn]));
    const members = subscribed.map(([address, arn]) => {
      return `<member><Protocol>email</Protocol><Endpoint>${address}</Endpoint><SubscriptionArn>${arn}</SubscriptionArn></member>`;
    });
    answerXml(response, action, `<Subscriptions>${members.join("")}</Subscriptions>`);
  }
}

const XML = { "content-type": "text/xml" };

function answerXml(response: ServerResponse, action: string, result: string): void {
  response.writeHead(200, XML).end(`<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`);
}

function refuseXml(response: ServerResponse, type: string, message: string): void {
  const error = `<Error><Type>Sender</Type><Code>${type}</Code><Message>${message}</Message></Error>`;
  response.writeHead(400, XML).end(`<ErrorResponse>${error}</ErrorResponse>`);
}

function refuse(response: ServerResponse, type: string, message: string, status = 400): void {
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amzn-errortype": type };
  response.writeHead(status, headers).end(JSON.stringify({ __type: type, message }));
}
