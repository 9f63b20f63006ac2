// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of other files.

/** One rule, broken. `find` must be in the file exactly once. */
export interface Mutation {
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Folders of tests that are asked. */
  readonly tests: readonly string[];
}

const UNIT = ["test/unit", "test/property"];
const INFRA = ["test/infra", "test/integration/least-privilege"];

type Row = readonly [rule: string, find: string, replace: string];

const within = (file: string, tests: readonly string[], rows: readonly Row[]): readonly Mutation[] =>
  rows.map(([rule, find, replace]) => ({ rule, file, find, replace, tests }));

/** The answers of DESIGN's section 4, by the code that gives them. */
const ANSWERS = within("lambda/receive/answers.ts", UNIT, [
  ["queued is answered with 202", "accepted: 202", "accepted: 200"],
  ["other events are answered with 200", "ignored: 200", "ignored: 202"],
  ["a wrong signature is answered with 401", "unauthorized: 401", "unauthorized: 403"],
  ["a wrong shape is answered with 400", "invalid: 400", "invalid: 422"],
  ["out of reach is answered with 503", "unavailable: 503", "unavailable: 500"],
  ["503 has Retry-After", 'status === "unavailable" ?', 'status === "ignored" ?'],
  [
    "one text for both signatures",
    'reason: "the X-Flagsmith-Signature header is missing or wrong"',
    "reason: UNAUTHORIZED[code]",
  ],
  ["an accepted line names the person", "userId: evaluation.identity", "userId: undefined"],
]);

const RECEIVE = [
  ...within("lambda/receive/signature.ts", UNIT, [
    ["a signature must match", "timingSafeEqual(given, expected)) || verified", "given.length > 0) || verified"],
    ["the signature is of the bytes", ".update(body)", ".update(Buffer.from(body).toString())"],
    ["every secret counts", "|| verified;", "&& verified;"],
  ]),
  ...within("lambda/receive/python-json.ts", UNIT, [
    ["Infinity and NaN count as null", 'token.endsWith("y") || token === "NaN"', 'token.endsWith("y")'],
    ["NaN alone is looked for", "char === 0x49 || char === 0x4e", "char === 0x49"],
    ["digits beyond 2^53 are kept", '? `"${token}"` : token', "? token : token"],
    [
      "no cause holds the body",
      'if (parsed === undefined) throw new InvalidEvaluationError("body", "JSON");',
      'if (parsed === undefined) throw Object.assign(new InvalidEvaluationError("body", "JSON"), { cause: new Error(source) });',
    ],
    ["depth is bounded", "++depth > MAX_DEPTH", "++depth > 10 * MAX_DEPTH"],
  ]),
  ...within("lambda/receive/evaluation.ts", UNIT, [
    ["a fault does not quote a key of the body", "`${path}.feature.name`", "`${path}.${Object.keys(feature)[0]}.name`"],
    ["transient traits are left out", "|| input.transient === true", ""],
    ["an empty identity is invalid", 'typeof input === "string" && input !== ""', 'typeof input === "string"'],
    ["a signed event of another kind is known", ">= 4", ">= 8"],
  ]),
  ...within("lambda/receive/traits.ts", UNIT, [
    ["a disabled flag is false", "enabled && value !== null ? value : enabled", "value !== null ? value : enabled"],
    ["a reserved name is renamed", "RESERVED.has(own) ?", "false ?"],
    ["a typed value is null while off", "enabled ? value : null", "value"],
  ]),
  ...within("lambda/receive/leave-out.ts", UNIT, [
    ["placeholders are left out", 'placeholderIdentities === "drop" &&', 'placeholderIdentities === "identify" &&'],
    ["exclude leaves out", 'if (!selects(identity)) return "unselected-identity";', ""],
  ]),
  ...within("lambda/split.ts", UNIT, [
    ["a call has 299 traits at most", "MAX_CALL_TRAITS = 299", "MAX_CALL_TRAITS = 300"],
    ["a call keeps room for its comma", "Buffer.byteLength(trait) + 1", "Buffer.byteLength(trait)"],
  ]),
  ...within("lambda/identify-call.ts", UNIT, [
    ["a call has 32,000 bytes at most", "MAX_CALL_BYTES = 32_000", "MAX_CALL_BYTES = 33_000"],
    ["sentAt is never before timestamp", "Math.max(now, call.receivedAtMs)", "now"],
    ["what SQS refuses is spelled out", "call.body.replace(OUTSIDE_SQS", "call.body.replace(/(?!)/g"],
  ]),
];

/** The table of classes, and the rules of DESIGN's section 5. */
const JUDGE = within("lambda/deliver/judge.ts", UNIT, [
  ["400 is about the content", "/^(400|413|422)$/", "/^(413|422)$/"],
  ["413 is about the content", "/^(400|413|422)$/", "/^(400|422)$/"],
  ["422 is about the content", "/^(400|413|422)$/", "/^(400|413)$/"],
  ["408 is a slow-down", "/^(408|429)$/", "/^(429)$/"],
  ["429 is a slow-down", "/^(408|429)$/", "/^(408)$/"],
  ["a 3xx is a refusal", "/^([34]..|501|505)$/", "/^(4..|501|505)$/"],
  ["501 is a refusal", "/^([34]..|501|505)$/", "/^([34]..|505)$/"],
  ["505 is a refusal", "/^([34]..|501|505)$/", "/^([34]..|501)$/"],
  ["content is moved after a minute", '"content-rejected", moveAfter: MINUTE', '"content-rejected", moveAfter: HOUR'],
  ["a slow-down is never moved", "moveAfter: NEVER", "moveAfter: DAY"],
  ["a refusal is moved after an hour", '"endpoint-refused", moveAfter: HOUR', '"endpoint-refused", moveAfter: 3 * HOUR'],
  ["no answer is moved after three hours", '"no-answer", moveAfter: 3 * HOUR', '"no-answer", moveAfter: HOUR'],
  ["a server error is moved after three hours", '"server-error", moveAfter: 3 * HOUR', '"server-error", moveAfter: HOUR'],
  ["content is received three times", "REJECTED_RECEIVES = 3", "REJECTED_RECEIVES = 1"],
  ["content is moved after a day, however others fare", "age >= REJECTED_ANYHOW_AFTER", "age >= 12 * REJECTED_ANYHOW_AFTER"],
  ["expired at 12 days", "EXPIRED_AFTER = 12 * DAY", "EXPIRED_AFTER = 13 * DAY"],
  ["an unknown version waits an hour", "UNKNOWN_VERSION_AFTER = HOUR", "UNKNOWN_VERSION_AFTER = 2 * HOUR"],
  ["an unreadable message is moved at once", 'return "unreadable-message"', "return undefined"],
  ["the second try was its own", "old && failure.triedTwice && failedBefore", "old && failedBefore"],
  ["it failed before", "failure.triedTwice && failedBefore &&", "failure.triedTwice &&"],
  ["others are well", "failedBefore && othersWell && freshSuccess", "failedBefore && freshSuccess"],
  ["somebody succeeded just now", "othersWell && freshSuccess)", "othersWell)"],
  ["half of the age is waited", "age / 2", "age"],
  ["at least 2 s", "MIN_WAIT = 2", "MIN_WAIT = 1"],
  ["at most 10 minutes", "MAX_WAIT = 10 * MINUTE", "MAX_WAIT = 20 * MINUTE"],
  ["at most a minute while others are well", "MAX_WAIT_ALONE = MINUTE", "MAX_WAIT_ALONE = 2 * MINUTE"],
  ["at most 30 minutes of what is asked", "MAX_ASKED = 30 * MINUTE", "MAX_ASKED = HOUR"],
  ["from 300 receives half an hour", "MANY_RECEIVES = 300", "MANY_RECEIVES = 900"],
  ["never sooner than asked", "answer?.retryAfter ?? 0", "0"],
  ["waits vary", "JITTER = 0.2", "JITTER = 0"],
]);

const DELIVER = [
  ...within("lambda/deliver/people.ts", UNIT, [
    ["four of five others are well", "WELL = 4 / 5", "WELL = 3 / 5"],
    ["others count for 10 minutes", "OTHERS_WITHIN = 10 * MINUTE", "OTHERS_WITHIN = 20 * MINUTE"],
    ["a failure before counts for an hour", "FAILED_BEFORE_WITHIN = 60 * MINUTE", "FAILED_BEFORE_WITHIN = 600 * MINUTE"],
    ["a success ends the failures", "if (taken) this.#failedAloneAt.delete(person);", ""],
    ["one success per move", "this.#lastMoveAt = now", "this.#lastMoveAt = 0"],
    ["1,000 people are remembered", "MAX_PEOPLE = 1_000", "MAX_PEOPLE = 100_000"],
    ["10,000 who fail are remembered", "MAX_FAILING = 10_000", "MAX_FAILING = 1_000"],
  ]),
  ...within("lambda/deliver/merge.ts", UNIT, [
    ["five evaluations are merged", "MANY_EVALUATIONS = 5", "MANY_EVALUATIONS = 6"],
    ["ten messages are merged", "MANY_MESSAGES = 10", "MANY_MESSAGES = 11"],
    ["a merged id holds the invocation", "[requestId, part, held]", "[part, held]"],
    ["a merged id holds the part", "[requestId, part, held]", "[requestId, held]"],
    ["a merged id holds the content", "[requestId, part, held]", "[requestId, part]"],
    ["envelopes must be equal", "next !== envelope", "false"],
  ]),
  ...within("lambda/deliver/deliver.ts", UNIT, [
    ["a person stops at the first failure", 'if ("kind" in end) return', 'if ("kind" in end && others.length > 0) return'],
    ["who fails is sent singly", "people.isFailing(person) ||", ""],
    ["what came ten times is sent singly", "SINGLY_FROM_RECEIVE = 10", "SINGLY_FROM_RECEIVE = 11"],
    ["a foreign queue's message is left alone", "eventSourceARN === queueArn", "eventSourceARN !== undefined"],
  ]),
  ...within("lambda/deliver/call.ts", UNIT, [
    ["a refused key is read again", "answer.status === 401 || answer.status === 403", "answer.status === 401"],
    [
      "a 429 ends the batch",
      "if (answer.status === 429) invocation.slowDown",
      "if (answer.status === 420) invocation.slowDown",
    ],
    ["one second try per invocation", "invocation.secondTryMade = true;", ""],
    ["a second try is on a fresh connection", '"fresh");\n  return', '"kept");\n  return'],
    ["what is 2xx is taken", "status <= 299", "status <= 399"],
    ["recorded after it was taken", "if (!(await comparison.record(usedKey)))", "if (false)"],
  ]),
  ...within("lambda/deliver/changes.ts", UNIT, [
    ["what was recorded is old", "place.last <= item.sequence", "place.last < 0n"],
    ["what was settled before an unrecorded call is old", "place.last < unrecorded.from", "false"],
    ["merged messages that come again are not old", "givenUp ? last + 1n : first", "last"],
    ["an item behind Segment is not trusted", "item !== undefined && !isBehind &&", "item !== undefined &&"],
    ["no item is trusted once too many were given up", "now >= this.#trustFrom", "true"],
    ["what a redriven call left is not known", "place.mayBeKnown ? new Map() : ", ""],
    ["a part that may be at Segment is sent", "!place.mayBeAtSegment && isUnchanged", "isUnchanged"],
  ]),
  ...within("lambda/deliver/fingerprints.ts", UNIT, [
    ["what another key sent is forgotten", "delivered.has(source) ? [...delivered] : []", "[...delivered]"],
  ]),
  ...within("lambda/deliver/conclude.ts", UNIT, [
    ["only single calls are moved", 'stop.merged && failure.kind === "not-taken"', "false"],
    ["messages that could not be sent at all are moved by age", 'stop.merged && failure.kind === "not-taken"', "stop.merged"],
    ["a dead letter holds its reason", "{ ...message.attributes, reason, status", "{ ...message.attributes, status"],
    [
      "a dead letter keeps its person",
      "return { body, groupId, deduplicationId: id",
      "return { body, groupId: id, deduplicationId: id",
    ],
  ]),
  ...within("lambda/adapters/parameter.ts", UNIT, [["a failure is remembered", "timing.parameterFailureMs", "0"]]),
  ...within("lambda/log.ts", UNIT, [
    [
      "a foreign error's message is not told",
      "error: { name, stack: frames.trim() }",
      "error: { name, message, stack: frames.trim() }",
    ],
    ["hashed people are hashed", "hashIdentity(value)", "value"],
    ["no level hides outcomes", "if (logger.level <= LogLevelThreshold.INFO) return logger;", "return logger;"],
  ]),
];

const INFRASTRUCTURE = [
  ...within(
    "infra/monitoring/metrics.ts",
    ["test/integration/monitoring"],
    [
      ["a filter is on the log that it is about", "logGroup: logs[source]", "logGroup: logs.receive"],
      ["a filter counts one per line", 'metricValue: "1"', 'metricValue: "0"'],
    ],
  ),
  ...within("infra/flagsmith-to-segment.ts", INFRA, [
    ["deliver may set visibility", '"sqs:ChangeMessageVisibility", ', ""],
    ["deliver may move to the dead-letter queue", 'this.deadLetterQueue.grant(deliver, "sqs:SendMessage");', ""],
    ["deliver may write the table", '"dynamodb:GetItem", "dynamodb:PutItem"', '"dynamodb:GetItem"'],
    ["receive may send", 'this.queue.grant(receive, "sqs:SendMessage");', ""],
    [
      "receive may send and no more",
      'this.queue.grant(receive, "sqs:SendMessage")',
      'this.queue.grant(receive, "sqs:SendMessage", "sqs:PurgeQueue")',
    ],
    ["partial batches are reported", "reportBatchItemFailures: true", "reportBatchItemFailures: false"],
    ["paused disables the event source", "enabled: !options.paused", "enabled: true"],
    ["1,000 receives", "MAX_RECEIVES = 1_000", "MAX_RECEIVES = 100"],
  ]),
  ...within("infra/pipeline-function.ts", INFRA, [
    ["one parameter may be read", "resources: [arn] }", 'resources: ["*"] }'],
    ["a key decrypts its parameter only", 'conditions: { StringEquals: { "kms:EncryptionContext:PARAMETER_ARN": arn } },', ""],
  ]),
  ...within("infra/storage.ts", INFRA, [["a queue survives its stack", "RETAIN_ON_UPDATE_OR_DELETE", "DESTROY"]]),
  ...within("infra/monitoring/deliver-alarms.ts", INFRA, [
    [
      "nothing delivered fires without any line",
      "IF((sent > 0) AND (deleted == 0), 1, 0)",
      "IF((sent > 0) AND (deleted > 0), 1, 0)",
    ],
    ["an old call is a backlog", "threshold: 900,", "threshold: 90_000,"],
  ]),
  ...within("infra/monitoring/monitoring.ts", INFRA, [
    ["an alarm tells that it is over", "alarm.addOkAction(new SnsAction(topic));", ""],
    ["a dashboard's name has the region", "`${plainName(pipeline.name)}-${region}`", "plainName(pipeline.name)"],
  ]),
];

export const MUTATIONS: readonly Mutation[] = [...ANSWERS, ...RECEIVE, ...JUDGE, ...DELIVER, ...INFRASTRUCTURE];
