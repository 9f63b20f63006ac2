import { optionErrors } from "../../infra/option-checks";
import { type Options, resolveOptions } from "../../lambda/options";

const every: { readonly [Name in keyof Options]-?: Exclude<Options[Name], undefined> } = {
  segmentRegion: "eu",
  segmentEndpoint: "https://segment.example.com/proxy",
  traitPrefix: "42",
  traitStyle: "typed",
  flags: { include: ["a*"], exclude: ["ab"] },
  flagsmithTraits: ["plan"],
  segments: true,
  identities: { include: ["user*"] },
  anonymousIdentities: "drop",
  markActive: false,
  forward: "changes",
  experiments: ["checkout*"],
  removeTraits: ["old_flag"],
  refreshHours: 12,
  mergeBacklog: false,
  dryRun: true,
  paused: true,
  logUserId: "hashed",
  logRetentionDays: 90,
  throttle: { rateLimit: 10, burstLimit: 20 },
  maxConcurrency: 2,
  reservedConcurrency: 5,
  alarmEmail: "on-call@example.com",
  alarmTopicArn: "arn:aws:sns:eu-west-1:123456789012:alarms",
  runbookUrl: "https://wiki.example.com/flagsmith",
  expectTraffic: 6,
  kmsKeyArn: "arn:aws:kms:eu-west-1:123456789012:key/1",
};

const errorsOf = (input: unknown, region?: string): string => optionErrors(input, { where: "production", region }).join("\n");
const topic = (region: string, name = "alarms") => `arn:aws:sns:${region}:123456789012:${name}`;
const key = (region: string, partition = "aws") => `arn:${partition}:kms:${region}:123456789012:key/1`;

describe("options", () => {
  it("are all optional, and may all be given", () => {
    expect(errorsOf({ ...every, segmentRegion: undefined })).toBe("");
    expect(errorsOf({})).toBe("");
  });

  it("are rejected with all errors at the same time, and with what is allowed", () => {
    const errors = errorsOf({ segmentRegion: "mars", colour: "red" });
    expect(errors).toContain('production.segmentRegion: allowed is "us" or "eu"; got "mars"');
    expect(errors).toContain("production.colour: unknown option; allowed are segmentRegion, segmentEndpoint,");
  });

  it("may have the lowest and the highest values that are allowed", () => {
    const lowest = { refreshHours: 0.01, maxConcurrency: 2, reservedConcurrency: 1, expectTraffic: 1 };
    const most = 2 ** 31 - 1;
    const highest = { refreshHours: 8_760, maxConcurrency: 1_000, reservedConcurrency: most, expectTraffic: 24 };
    const urlOf = (bytes: number) => `https://${"w".repeat(bytes - 8)}`;
    const longest = { traitPrefix: "x".repeat(100), segmentEndpoint: urlOf(500), runbookUrl: urlOf(200) };
    expect(errorsOf({ ...lowest, throttle: { rateLimit: 1 } })).toBe("");
    expect(errorsOf({ ...highest, ...longest, throttle: { burstLimit: most } })).toBe("");
    const tooLong = errorsOf({ segmentEndpoint: urlOf(501), runbookUrl: urlOf(201) });
    expect(tooLong).toMatch(/segmentEndpoint: allowed is .*\n.*runbookUrl: allowed is /);
  });

  const NOT_ALLOWED: Readonly<Record<string, readonly unknown[]>> = {
    segmentRegion: ["US"],
    segmentEndpoint: [
      "http://segment.example.com",
      "http://127.0.0.1.example.com",
      "https://segment.example.com/?key=1",
      "segment",
      "https://segment.example.com?",
      "https://segment.example.com/#",
      "https://segment.example.com/ ",
      "https://:password@segment.example.com",
      "https://api.segment.io/v1/identify",
    ],
    traitPrefix: [42, "x".repeat(101), "{{resolve:ssm:/name}}"],
    traitStyle: ["loose"],
    flags: [["a"], { includes: ["a"] }, { include: "a" }, { include: [""] }, { include: ["{{resolve:ssm:/name}}"] }],
    flagsmithTraits: ["plan"],
    segments: ["true"],
    identities: [["guest"]],
    anonymousIdentities: ["ignore"],
    markActive: [1],
    forward: ["some"],
    experiments: ["checkout"],
    removeTraits: [[""]],
    refreshHours: [0, "24", 8_761],
    dryRun: [null],
    logUserId: [true],
    logRetentionDays: [31, 9_999],
    throttle: [{ rate: 1 }, { rateLimit: 0 }, { burstLimit: 2 ** 31 }],
    maxConcurrency: [1, 1_001],
    reservedConcurrency: [0],
    paused: ["yes"],
    runbookUrl: ["http://wiki.example.com"],
    expectTraffic: [25, 1.5],
    alarmEmail: ["nobody", "ö@example.com", `${"a".repeat(65)}@example.com`],
    alarmTopicArn: ["arn:aws:sns:", `${topic("eu-west-1")}:subscription`, topic("eu-west-1", "alarms.fifo")],
    kmsKeyArn: ["alias/mine", "arn:aws:kms:", "arn:aws:kms:eu-west-1:123456789012:alias/mine"],
  };

  it.each(Object.entries(NOT_ALLOWED).flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    "are rejected: %s %j",
    (name, value) => {
      expect(errorsOf({ [name]: value })).toContain(`production.${name}: allowed is `);
      expect(errorsOf({ [name]: value })).toMatch(/; got .{1,81}$/);
    },
  );

  it.each(["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000"])("may have %s as endpoint", (url) => {
    expect(errorsOf({ segmentEndpoint: url })).toBe("");
  });

  it.each<[string, unknown, string]>([
    ["null", null, ": allowed is an object of options"],
    ["a list", [], ": allowed is an object of options"],
    ["a text", "production", ": allowed is an object of options"],
    ["the name of a property of Object.prototype", { constructor: 1 }, ".constructor: unknown option"],
    ["a name in lower case", { segmentregion: 1 }, ".segmentregion: unknown option, did you mean segmentRegion?"],
    ["a misspelt name", { flagSmithTrait: 1 }, ".flagSmithTrait: unknown option, did you mean flagsmithTraits?"],
    ["a name with a syllable less", { alarmMail: 1 }, ".alarmMail: unknown option, did you mean alarmEmail?"],
    ["an option of an earlier release", { placeholderIdentities: "identify" }, "; remove it: undefined, null, NaN and"],
    [
      "region and endpoint",
      { segmentRegion: "eu", segmentEndpoint: "https://a.b" },
      ": segmentRegion and segmentEndpoint both",
    ],
    ["experiments without changes", { experiments: ["a"] }, '.experiments: it needs "forward": "changes"'],
    ["a topic in another region", { alarmTopicArn: topic("us-east-1") }, ".alarmTopicArn: it is in us-east-1"],
    [
      "a key in another region",
      { kmsKeyArn: key("us-east-1") },
      ".kmsKeyArn: it is in us-east-1, and the stack is in eu-west-1",
    ],
    ["a key of another partition", { kmsKeyArn: key("eu-west-1", "aws-cn") }, ".kmsKeyArn: eu-west-1 is in partition aws"],
  ])("are rejected if they are or have %s", (_, input, message) => {
    const errors = errorsOf(input, "eu-west-1");
    expect(errors).toMatch(/^production/);
    expect(errors).toContain(message);
  });

  it("may have an ARN of the stack's region, and of any region while the stack's is not known", () => {
    expect(errorsOf({ alarmTopicArn: topic("eu-west-1"), kmsKeyArn: key("eu-west-1") }, "eu-west-1")).toBe("");
    expect(errorsOf({ alarmTopicArn: topic("us-east-1"), kmsKeyArn: key("us-east-1") })).toBe("");
  });

  it("are limited to 2,800 bytes of names, in which a quote counts twice", () => {
    const flags = (...include: readonly string[]) => ({ flags: { include } });
    const sixLetters = (count: number) => flags(...Array.from({ length: count }, (_, index) => `f${10_000 + index}`));
    expect(errorsOf({ ...flags("x".repeat(1_390)), flagsmithTraits: ["y".repeat(1_300)] })).toBe("");
    expect(errorsOf(sixLetters(150))).toBe("");
    expect(errorsOf(flags("ж".repeat(1_490)))).toContain("production: allowed are 2800 bytes for traitPrefix, flags,");
    const names = ["z".repeat(920)];
    const others = { identities: { include: names }, experiments: names, removeTraits: names };
    expect(errorsOf({ forward: "changes", ...others })).toContain("production: allowed are 2800 bytes");
    expect(errorsOf(sixLetters(329))).toContain("production: allowed are 2800 bytes");
  });
});

describe("options that are not given", () => {
  it("have their defaults, also if they are undefined and within throttle", () => {
    expect(resolveOptions({ traitStyle: undefined, throttle: { rateLimit: undefined, burstLimit: 5 } })).toEqual({
      ...{ segmentRegion: "us", segmentEndpoint: "https://api.segment.io" },
      ...{ traitPrefix: "", traitStyle: "flagsmith", flags: {}, flagsmithTraits: false, segments: false },
      ...{ identities: {}, anonymousIdentities: "identify", markActive: true, logUserId: "plain", logRetentionDays: 30 },
      ...{ forward: "every", refreshHours: 24, mergeBacklog: true, dryRun: false, paused: false, maxConcurrency: 10 },
      ...{ experiments: [], removeTraits: [] },
      throttle: { rateLimit: 1_000, burstLimit: 5 },
    });
  });

  it("are replaced by the endpoint of the region, for Segment", () => {
    expect(resolveOptions({ segmentRegion: "eu" }).segmentEndpoint).toBe("https://events.eu1.segmentapis.com");
    expect(resolveOptions(every).segmentEndpoint).toBe("https://segment.example.com/proxy");
  });
});
