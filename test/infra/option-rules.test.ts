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

const faultsOf = (input: unknown, region?: string): string => optionErrors(input, { where: "production", region }).join("\n");

describe("options", () => {
  it("are all optional, and may all be given", () => {
    expect(faultsOf({ ...every, segmentRegion: undefined })).toBe("");
    expect(faultsOf({})).toBe("");
  });

  it("are rejected with all errors at the same time, and with what is allowed", () => {
    const faults = faultsOf({ segmentRegion: "mars", colour: "red" });
    expect(faults).toContain('production.segmentRegion: allowed is "us" or "eu"; got "mars"');
    expect(faults).toContain("production.colour: unknown option; allowed are segmentRegion, segmentEndpoint,");
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
    traitPrefix: [42, "x".repeat(101)],
    traitStyle: ["loose"],
    flags: [["a"], { includes: ["a"] }, { include: "a" }, { include: [""] }],
    flagsmithTraits: ["plan"],
    segments: ["true"],
    identities: [["guest"]],
    anonymousIdentities: ["ignore"],
    markActive: [1],
    forward: ["some"],
    refreshHours: [0, "24", 8_761],
    dryRun: [null],
    logUserId: [true],
    logRetentionDays: [31],
    throttle: [{ rate: 1 }, { rateLimit: 0 }, { burstLimit: 2 ** 31 }],
    maxConcurrency: [1, 1_001],
    reservedConcurrency: [0],
    paused: ["yes"],
    runbookUrl: ["http://wiki.example.com"],
    expectTraffic: [25, 1.5],
    alarmEmail: ["nobody"],
    alarmTopicArn: ["arn:aws:sns:"],
    kmsKeyArn: ["alias/mine", "arn:aws:kms:", "arn:aws:kms:eu-west-1:123456789012:alias/mine"],
  };

  it.each(Object.entries(NOT_ALLOWED).flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    "are rejected: %s %j",
    (name, value) => {
      expect(faultsOf({ [name]: value })).toContain(`production.${name}: allowed is `);
    },
  );

  it.each(["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000"])(
    "may have an http endpoint on loopback: %s",
    (url) => {
      expect(faultsOf({ segmentEndpoint: url })).toBe("");
    },
  );

  it("are rejected with what to do if an earlier release had them", () => {
    expect(faultsOf({ placeholderIdentities: "identify" })).toMatch(
      /production\.placeholderIdentities: this release has no such option; remove it: .* "identities": \{ "include": \["\*", "undefined"/,
    );
  });

  it("are rejected if region and endpoint of Segment are both given", () => {
    expect(faultsOf({ segmentRegion: "eu", segmentEndpoint: "https://segment.example.com" })).toContain(
      "production: segmentRegion and segmentEndpoint both say where Segment is",
    );
  });

  it.each([null, [], "production"])("are rejected if they are not an object: %j", (input) => {
    expect(faultsOf(input)).toContain("production: allowed is an object of options");
  });

  it("are limited to 3,000 bytes of names, because Lambda's variables have 4 KB", () => {
    const cyrillic = { include: ["ж".repeat(1_490)] };
    expect(faultsOf({ flags: cyrillic })).toContain(
      "production: allowed are 2800 bytes for traitPrefix, flags, flagsmithTraits, identities, experiments, removeTraits together, in which a quote counts twice",
    );
    expect(faultsOf({ flags: cyrillic.include.length, flagsmithTraits: true })).toContain("production.flags: allowed is ");
    expect(faultsOf({ flags: { include: ["x".repeat(1_390)] }, flagsmithTraits: ["y".repeat(1_300)] })).toBe("");
    const sixLetters = (count: number) => ({ flags: { include: Array.from({ length: count }, (_, i) => `f${10_000 + i}`) } });
    expect([faultsOf(sixLetters(150)), faultsOf(sixLetters(329)).slice(0, 30)]).toEqual(["", "production: allowed are 2800 b"]);
  });

  it("are rejected if they have the name of a property of Object.prototype", () => {
    expect(faultsOf({ constructor: 1 })).toContain("production.constructor: unknown option");
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
    expect(resolveOptions({}).segmentEndpoint).toBe("https://api.segment.io");
    expect(resolveOptions({ segmentRegion: "eu" }).segmentEndpoint).toBe("https://events.eu1.segmentapis.com");
    expect(resolveOptions(every).segmentEndpoint).toBe("https://segment.example.com/proxy");
  });
});
