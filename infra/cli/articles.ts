type Fields = Readonly<Record<string, unknown>>;

/** Articles of infra/RUNBOOK.md by the code of a log entry. The first match is used. */
const ARTICLES: readonly (readonly [code: RegExp, article: string])[] = [
  [/^slow-down$/, "Segment's limits"],
  [/^endpoint-refused$/, "Endpoint refused"],
  [/^write-key-refused$/, "Write key refused"],
  [/^table-failed$/, "DynamoDB fails"],
  [/^parameter-placeholder$/, "Placeholder secret"],
  [/^internal$/, "Deliver fails"],
  [/^(unknown-version|unreadable-message)$/, "Dead letters"],
];
const OTHERWISE = "Calls fail for long";

/** Names of network errors in Node.js and undici, and what each means for an endpoint. */
const NETWORK_ERRORS: readonly (readonly [reason: RegExp, meaning: string])[] = [
  [/ECONNREFUSED/, "refuses connections: nothing listens there"],
  [/ENOTFOUND/, "is not known to DNS"],
  [/EAI_AGAIN/, "was not looked up, because DNS did not answer"],
  [/CERT|TLS|SSL|EPROTO|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)/, "has no certificate that fits, or does not speak TLS"],
  [/not-http|HPE_/, "answers, but not in HTTP"],
  [/timeout|ETIMEDOUT/i, "does not answer in time"],
  [/EHOSTUNREACH|ENETUNREACH/, "can't be reached over the network"],
];

/** The meaning of the network error, for an attempt without an answer. */
export function networkMeaning({ code, reason }: Fields, endpoint: string): string | undefined {
  if (code !== "no-answer") return undefined;
  const found = NETWORK_ERRORS.find(([pattern]) => pattern.test(String(reason)));
  return found && `${endpoint} ${found[1]}`;
}

/** How to fix the failure in an entry of deliver. `endpoint` is the URL that deliver sends to. */
export function fixOf(fields: Fields, endpoint: string): string {
  const { code = "", event, remedy } = fields;
  const article = event === "dead-lettered" ? "Dead letters" : articleOf(String(code));
  const parts = [`infra/RUNBOOK.md, ${article}`];
  if (code === "no-answer")
    parts.unshift(`is option segmentEndpoint right (${endpoint})? If it is: https://status.segment.com`);
  if (typeof remedy === "string" && isSafe(String(code), remedy)) parts.unshift(remedy);
  return parts.join("; ");
}

function articleOf(code: string): string {
  return ARTICLES.find(([pattern]) => pattern.test(code))?.[1] ?? OTHERWISE;
}

/** Segment may refuse a value that is right. A value should only be replaced if deliver read it and could not use it. */
function isSafe(code: string, remedy: string): boolean {
  return !remedy.includes("--overwrite") || /^parameter-(empty|placeholder)$/.test(code);
}
