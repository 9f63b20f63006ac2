// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of other files.

/** Breaks one rule. `find` must be in the file exactly once. */
export interface Mutation {
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Folders of the tests that must notice it. */
  readonly tests: readonly string[];
}

const UNIT = ["test/unit", "test/property", "test/fuzz"];
const TABLE = ["test/integration/delivered-table"];
const WIRING = ["test/integration/wiring"];
const RELEASES = ["test/integration/release-2"];
const LOG_SETTINGS = ["test/integration/log-settings"];
const MONITORING = ["test/integration/monitoring"];
const INFRA = ["test/infra", "test/integration/least-privilege"];
const COMMANDS = ["test/integration/command-dead-letters"];

type Row = readonly [rule: string, find: string, replace: string];

const within = (file: string, tests: readonly string[], rows: readonly Row[]): readonly Mutation[] =>
  rows.map(([rule, find, replace]) => ({ rule, file, find, replace, tests }));

/** The responses of the webhook. */
const ANSWERS = within("lambda/receive/answers.ts", UNIT, [
  ["queued is answered with 202", "accepted: 202", "accepted: 200"],
  ["other events are answered with 200", "ignored: 200", "ignored: 202"],
  ["a wrong signature is answered with 401", "unauthorized: 401", "unauthorized: 403"],
  ["a wrong shape is answered with 400", "invalid: 400", "invalid: 422"],
  ["unavailable is answered with 503", "unavailable: 503", "unavailable: 500"],
  ["503 has Retry-After", 'status === "unavailable" ?', 'status === "ignored" ?'],
  ["one text for both signatures", '"the X-Flagsmith-Signature header is missing or wrong"', "UNAUTHORIZED[code]"],
  ["an accepted entry names the user", "userId: evaluation.identity", "userId: undefined"],
]);

const RECEIVE = [
  ...within("lambda/experiments.ts", UNIT, [
    ["an event keeps its id in each retry", "JSON.stringify([flag, since])", "JSON.stringify([flag, since, Math.random()])"],
    ["a long variation is shortened", "if (text.length <= MAX_VALUE_LENGTH) return text;", "if (text.length > 0) return text;"],
    ["a variation without a value is true", "String(value ?? true)", 'String(value ?? "")'],
    ["a call without events goes to identify", "if (events.length === 0) return", "if (events.length < 0) return"],
    ["variations beyond a request are cut", "bytes > MAX_CALL_BYTES || bytes > room", "bytes > MAX_CALL_BYTES"],
  ]),
  ...within("lambda/receive/columns.ts", UNIT, [
    ["a reserved column is reported", "RESERVED.has(column) ? same : []", "RESERVED.has(column) ? [] : []"],
    ["names of one column are reported", "length > 1", "length > 2"],
  ]),
  ...within("lambda/receive/signature.ts", UNIT, [
    ["a signature must match", "timingSafeEqual(given, expected)) || verified", "given.length > 0) || verified"],
    ["the signature is of the bytes", ".update(body)", ".update(Buffer.from(body).toString())"],
    ["every secret counts", "|| verified;", "&& verified;"],
  ]),
  ...within("lambda/receive/python-json.ts", UNIT, [
    ["Infinity and NaN count as null", 'token.endsWith("y") || token === "NaN"', 'token.endsWith("y")'],
    ["NaN alone is looked for", "char === 0x49 || char === 0x4e", "char === 0x49"],
    ["digits beyond 2^53 are kept", '? `"${token}"` : token', "? token : token"],
    ["no cause holds the body", 'Error("body", "JSON");', 'Error("body", `JSON ${source}`);'],
  ]),
  ...within("lambda/receive/evaluation.ts", UNIT, [
    ["an error does not quote a key of the body", "`${path}.feature.name`", "`${path}.${Object.keys(feature)[0]}.name`"],
    ["transient traits are skipped", "|| input.transient === true", ""],
    ["an empty identity is invalid", 'typeof input === "string" && input !== ""', 'typeof input === "string"'],
    ["a signed event of another kind is known", ">= 4", ">= 8"],
  ]),
  ...within("lambda/receive/traits.ts", UNIT, [
    ["a disabled flag is false", "enabled && value !== null ? value : enabled", "value !== null ? value : enabled"],
    ["a reserved name is renamed", "RESERVED.has(own) ?", "false ?"],
    ["a typed value is null while off", "enabled ? value : null", "value"],
  ]),
  ...within("lambda/receive/skip.ts", UNIT, [
    ["a placeholder is sent only if it is included by name", " && !included.includes(identity)", ""],
    ["blanks are skipped", " || /^\\s*$/.test(identity)", ""],
    ["exclude skips", 'if (!selects(identity)) return "unselected-identity";', ""],
  ]),
  ...within("lambda/split.ts", UNIT, [
    ["a call has 299 traits at most", "MAX_CALL_TRAITS = 299", "MAX_CALL_TRAITS = 300"],
    ["a call keeps room for its comma", "Buffer.byteLength(trait) + 1", "Buffer.byteLength(trait)"],
  ]),
  ...within("lambda/identify-call.ts", UNIT, [
    ["a call has 32,000 bytes at most", "MAX_CALL_BYTES = 32_000", "MAX_CALL_BYTES = 33_000"],
    ["sentAt is never before timestamp", "Math.max(nowMs, receivedAtMs)", "nowMs"],
    ["what SQS refuses is escaped", "json.replace(REFUSED_BY_SQS", "json.replace(/(?!)/g"],
  ]),
];

/** The retry policy. */
const RETRY_POLICY = [
  ...within("lambda/adapters/segment.ts", UNIT, [
    ["2xx is accepted", "/^2..$/", "/^[23]..$/"],
    ["408 is a slow-down", "/^(408|429)$/", "/^(429)$/"],
    ["429 is a slow-down", "/^(408|429)$/", "/^(408)$/"],
    ["a 3xx is a refusal", "/^([34]..|501|505)$/", "/^(4..|501|505)$/"],
    ["501 is a refusal", "/^([34]..|501|505)$/", "/^([34]..|505)$/"],
    ["505 is a refusal", "/^([34]..|501|505)$/", "/^([34]..|501)$/"],
  ]),
  ...within("lambda/timing.ts", UNIT, [
    ["isolated after three hours", "isolatedFailureAge: 3 * HOUR_SECONDS", "isolatedFailureAge: 2 * HOUR_SECONDS"],
    ["expired at 12 days", "expiredAge: 12 * DAY_SECONDS", "expiredAge: 13 * DAY_SECONDS"],
    ["an unknown version waits an hour", "unknownVersionAge: HOUR_SECONDS", "unknownVersionAge: 2 * HOUR_SECONDS"],
    ["at least 2 s", "minWait: 2", "minWait: 1"],
    ["at most 10 minutes", "maxWait: 10 * MINUTE_SECONDS", "maxWait: 20 * MINUTE_SECONDS"],
    ["at most a minute while healthy", "maxWaitWhileHealthy: MINUTE_SECONDS", "maxWaitWhileHealthy: 2 * MINUTE_SECONDS"],
    ["at most a minute if not attempted", "maxWaitNotAttempted: MINUTE_SECONDS", "maxWaitNotAttempted: HOUR_SECONDS"],
    ["at most 30 minutes of what is asked", "maxAsked: 30 * MINUTE_SECONDS", "maxAsked: HOUR_SECONDS"],
    ["health looks 10 minutes back", "healthWindow: 10 * MINUTE_SECONDS", "healthWindow: 20 * MINUTE_SECONDS"],
    ["a streak lasts an hour", "streakWindow: HOUR_SECONDS", "streakWindow: DAY_SECONDS"],
    ["a clock that went back counts as passed", "now < since || ", ""],
  ]),
  ...within("lambda/deliver/retry-policy.ts", UNIT, [
    ["the fourth failure in a row", "STREAK_OF_ISOLATED_FAILURE = 4", "STREAK_OF_ISOLATED_FAILURE = 3"],
    ["a slow-down does not count for the streak", ' || failure.answer.code === "slow-down"', ""],
    ["only failures of old messages count", " && ageSeconds >= retry.isolatedFailureAge", ""],
    ["only failures while healthy count", "return healthy && ageSeconds", "return ageSeconds"],
    ["a merged unit is never dead-lettered", "if (merged) return undefined;", ""],
    ["an unreadable message is dead-lettered immediately", 'return "unreadable-message"', "return undefined"],
    ["half of the age is waited", "ageSeconds / 2", "ageSeconds"],
    ["a slow-down waits up to 10 minutes", 'healthy && answer?.code !== "slow-down"', "healthy"],
    ["from 300 receives half an hour", "MANY_RECEIVES = 300", "MANY_RECEIVES = 900"],
    ["half an hour whatever the reason", "Math.max(asked, manyReceives)", "asked"],
    ["never earlier than asked", "answer?.askedSeconds ?? 0", "0"],
    ["waits vary", "JITTER = 0.2", "JITTER = 0"],
  ]),
  ...within("lambda/deliver/health.ts", UNIT, [
    ["four of five first receives", "ACCEPTED_OF_FIRST_RECEIVES = 4 / 5", "ACCEPTED_OF_FIRST_RECEIVES = 3 / 5"],
    ["two thirds of all", "ACCEPTED_OF_ALL = 2 / 3", "ACCEPTED_OF_ALL = 1 / 3"],
    ["one first receive at least", "first.accepted === 0 || ", ""],
    ["only other users count", "other !== user && ", ""],
    ["only first receives count for the first share", "if (receiveCount === 1) ", ""],
    ["an accepted call ends the streak", "if (accepted) this.#streaks.delete(user);", ""],
    ["1,000 users are remembered", "MAX_USERS = 1_000", "MAX_USERS = 100_000"],
    ["10,000 streaks are remembered", "MAX_STREAKS = 10_000", "MAX_STREAKS = 1_000"],
  ]),
];

const DELIVER = [
  ...within("lambda/deliver/merge.ts", UNIT, [
    ["five evaluations are merged", "MANY_EVALUATIONS = 5", "MANY_EVALUATIONS = 6"],
    ["parts of one evaluation count once", 'messageId.replace(PART, "")', "messageId"],
    ["a merged id holds the invocation", "JSON.stringify([requestId, held])", "JSON.stringify([held])"],
    ["a merged id holds the content", "JSON.stringify([requestId, held])", "JSON.stringify([requestId])"],
    ["envelopes must be equal", "keyOf(last) !== keyOf(next) || ", ""],
    ["a merged call has 299 traits at most", "traits.size <= MAX_CALL_TRAITS && ", ""],
    ["a merged call has 32,000 bytes at most", " && bytes <= capacityOf(envelopeOf(next))", ""],
    ["later traits win", "new Map([...last.traits, ...next.traits])", "new Map([...next.traits, ...last.traits])"],
  ]),
  ...within("lambda/deliver/deliver.ts", UNIT, [
    [
      "a user stops at the first failure",
      'if (result.kind === "failed") {',
      'if (result.kind === "failed" && others.length > 0) {',
    ],
    ["a user who fails is sent singly", " || health.isFailing(message.groupId)", ""],
    ["what was received ten times is sent singly", "SINGLY_FROM_RECEIVE = 10", "SINGLY_FROM_RECEIVE = 11"],
    ["settled messages are dropped", "record?.isSettled(message.sequence) === true", "false"],
    [
      "messages behind a dead letter become visible",
      "setVisibility(invocation, behind, 0)",
      "setVisibility(invocation, behind, 60)",
    ],
    ["a dead letter holds its reason", "{ ...message.attributes, reason, status", "{ ...message.attributes, status"],
    ["a dead letter keeps its user", "[{ body, groupId, deduplicationId: id", "[{ body, groupId: id, deduplicationId: id"],
    ["only attempts count for health", 'accepted = result.kind === "delivered";', 'accepted = result.kind !== "failed";'],
  ]),
  ...within("lambda/deliver/attempt.ts", UNIT, [
    ["a refused key is read again after 401", "sent.answer.status !== 401 && ", ""],
    ["a refused key is read again after 403", " && sent.answer.status !== 403", ""],
    ["nothing is sent twice with the same key", "current === knownKey || ", ""],
    ["a 429 ends the invocation", "if (answer.status === 429)", "if (answer.status === 420)"],
    ["no unit begins without time", "if (!hasTime())", "if (false)"],
    ["a dry run writes nothing", "if (dryRun) return", "if (dryRun && record === undefined) return"],
    ["fingerprints are removed before the call is sent", "await record?.remove(unit, key, messages[0].message.sequence);", ""],
    ["a call that Segment may know is not recorded after a receive", "message.receiveCount > 1 || ", ""],
    ["a redriven call is not recorded", " || message.sentAtMs - call.receivedAtMs > MINUTE_MS", ""],
    ["a merged call is recorded", "others.length === 0 && (", "(true && "],
    ["recorded up to the last message", "(unit.messages.at(-1) ?? unit.messages[0]).message", "unit.messages[0].message"],
  ]),
  ...within("lambda/deliver/changes.ts", RELEASES, [["records of release 2 are another source", "FORMAT = 2", "FORMAT = 1"]]),
  ...within("lambda/deliver/changes.ts", UNIT, [
    ["a record expires", "this.options.now() / 1_000 + this.options.refreshSeconds + DAY_SECONDS", "DAY_SECONDS"],
    ["a due trait is sent", " && !this.#isDue(known);", ";"],
    ["removed up to the message before", "sequence: firstSequence - 1n", "sequence: firstSequence"],
    ["after a failed write the record is read again", "this.#mustRead = true;\n    await", "await"],
    [
      "another source's fingerprints say nothing",
      "source === source ? this.#record.fingerprints",
      "source ? this.#record.fingerprints",
    ],
    ["the kind of id is part of the source", "this.options.endpoint, kind, ", "this.options.endpoint, "],
    ["the endpoint is part of the source", "[FORMAT, this.options.endpoint, kind", "[FORMAT, kind"],
  ]),
  ...within("lambda/adapters/delivered-table.ts", TABLE, [
    ["an older record never replaces a newer one", "#sequence <= :sequence", "#sequence <= :sequence OR #sequence > :sequence"],
    ["a record may be written twice at one sequence", "#sequence <= :sequence", "#sequence < :sequence"],
    ["a record is read consistently", "ConsistentRead: true", "ConsistentRead: false"],
    ["a record's expiry is written", "Math.ceil(expiresAtSeconds)", "Math.ceil(0)"],
    ["a record stays below 400 KB", "MAX_ENTRIES = 15_000", "MAX_ENTRIES = 40_000"],
  ]),
  ...within("lambda/deliver/outcomes.ts", UNIT, [
    ["a 401 names the write key", "status === 401 || ", ""],
    ["a 403 while healthy is a firewall's", "(status === 403 && !healthy)", "status === 403"],
    ["a 400 while not healthy names the write key", "if (status === 400 && !healthy)", "if (status === 420)"],
    ["the operator must act on a refusal", 'code === "endpoint-refused" ? "operator"', 'code === "server-error" ? "operator"'],
  ]),
  ...within("lambda/adapters/parameter.ts", UNIT, [
    ["a failure is remembered", "timing.parameterFailureMs", "0"],
    ["a refresh waits for a read in flight", "return this.#inFlight ?? this.get(deadlineMs)", "return this.get(deadlineMs)"],
  ]),
  ...within("lambda/adapters/segment.ts", UNIT, [
    ["Segment's connections are not used after a pause", "timing.maxIdleMs)", "timing.maxIdleMs * 9)"],
    [
      "a clock that went back is a pause before Segment",
      "hasPassed(this.#lastUsedAtMs, ",
      "((a, b, c) => b - a >= c)(this.#lastUsedAtMs, ",
    ],
  ]),
  ...within("lambda/adapters/aws-call.ts", UNIT, [
    ["AWS's 408 is retried", "status === 408 || ", ""],
    ["AWS's connections are not used after a pause", "timing.maxIdleMs)", "timing.maxIdleMs * 9)"],
    [
      "a clock that went back is a pause before AWS",
      "hasPassed(this.#lastUsedAtMs, ",
      "((a, b, c) => b - a >= c)(this.#lastUsedAtMs, ",
    ],
  ]),
  ...within("lambda/adapters/queue.ts", UNIT, [
    ["a batch has room for attributes", "256 * 1024 - MAX_BATCH * 512", "256 * 1024"],
  ]),
  ...within("lambda/wiring.ts", WIRING, [
    ["a refused write key is read again after a second", "machine.timing.writeKeyRefreshMs", "machine.timing.secretRefreshMs"],
    ["a wrong secret is read again after ten seconds", "machine.timing.secretRefreshMs", "machine.timing.writeKeyRefreshMs"],
    ["a dry run merges nothing", "options.mergeBacklog && !dryRun", "options.mergeBacklog"],
  ]),
  ...within("lambda/log.ts", LOG_SETTINGS, [["no variable is read while a logger is constructed", "process.env = {};", ""]]),
  ...within("lambda/log.ts", UNIT, [
    ["a foreign error's message is not logged", "error: { name, stack", "error: { name, message, stack"],
    ["users are hashed", "hashIdentity(value)", "value"],
    ["users are hashed in the events of a dry run", 'name === "batch" && ', "false && "],
    ["a hiding level is logged", 'HIDING_LEVELS: readonly unknown[] = ["WARN", ', "HIDING_LEVELS: readonly unknown[] = ["],
    ["Lambda's highest level is FATAL", 'logLevel === "CRITICAL" ? "FATAL" : logLevel', "logLevel"],
  ]),
];

const INFRASTRUCTURE = [
  ...within("infra/cli/move-task.ts", COMMANDS, [
    ["a redrive waits for its own move", "task.StartedTimestamp !== before?.StartedTimestamp", "task.Status !== undefined"],
  ]),
  ...within("infra/cli/dead-letter-queue.ts", COMMANDS, [
    ["a redrive holds what it read for two minutes", "HOLD_SECONDS = 120", "HOLD_SECONDS = 5"],
  ]),
  ...within("infra/monitoring/metrics.ts", MONITORING, [
    ["a filter is on the log that it is about", "logGroup: logs[source]", "logGroup: logs.receive"],
    ["a filter counts one per entry", 'metricValue: "1"', 'metricValue: "0"'],
  ]),
  ...within("infra/flagsmith-to-segment.ts", INFRA, [
    ["deliver may set visibility", '"sqs:ChangeMessageVisibility", ', ""],
    ["deliver may move to the dead-letter queue", 'this.deadLetterQueue.grant(deliver, "sqs:SendMessage");', ""],
    ["deliver may write the table", '"dynamodb:GetItem", "dynamodb:PutItem"', '"dynamodb:GetItem"'],
    ["receive may send", 'this.queue.grant(receive, "sqs:SendMessage");', ""],
    ["receive may only send", '(receive, "sqs:SendMessage")', '(receive, "sqs:SendMessage", "sqs:PurgeQueue")'],
    ["partial batches are reported", "reportBatchItemFailures: true", "reportBatchItemFailures: false"],
    ["paused disables the event source", "enabled: !options.paused", "enabled: true"],
    ["1,000 receives", "MAX_RECEIVES = 1_000", "MAX_RECEIVES = 100"],
  ]),
  ...within("infra/pipeline-function.ts", INFRA, [
    ["one parameter may be read", "resources: [arn] }", 'resources: ["*"] }'],
    ["a key decrypts its parameter only", 'conditions: { StringEquals: { "kms:EncryptionContext:PARAMETER_ARN": arn } },', ""],
  ]),
  ...within("infra/storage.ts", INFRA, [["a queue is kept after its stack", "RETAIN_ON_UPDATE_OR_DELETE", "DESTROY"]]),
  ...within("infra/webhook-api.ts", MONITORING, [
    [
      "a request that API Gateway refuses has no status of an integration",
      "integrationStatus: AccessLogField.contextIntegrationStatus()",
      "integrationStatus: AccessLogField.contextStatus()",
    ],
  ]),
  ...within("infra/monitoring/receive-alarms.ts", INFRA, [
    ["nine of ten webhooks are unsigned", "threshold: 90,", "threshold: 50,"],
  ]),
  ...within("infra/monitoring/deliver-alarms.ts", INFRA, [
    ["one alarm for the dead letters of an hour", "periods: 12,", "periods: 1,"],
    ["nothing delivered fires without any entry", "(sent > 0) AND (deleted == 0)", "(sent > 0) AND (deleted > 0)"],
    ["an old call is a backlog", "threshold: 900,", "threshold: 90_000,"],
  ]),
  ...within("infra/monitoring/monitoring.ts", INFRA, [
    ["an alarm notifies of its end", "alarm.addOkAction(new SnsAction(topic));", ""],
    ["a dashboard's name has the region", "`${plainName(pipeline.name)}-${region}`", "plainName(pipeline.name)"],
  ]),
];

export const MUTATIONS: readonly Mutation[] = [...ANSWERS, ...RECEIVE, ...RETRY_POLICY, ...DELIVER, ...INFRASTRUCTURE];
