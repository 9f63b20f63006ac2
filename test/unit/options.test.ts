import {
  assertOptions,
  fromEnvironment,
  OPTIONS,
  type Options,
  putParameterCommand,
  resolveOptions,
  toEnvironment,
} from "../../lambda/contract";

const every: Required<Options> = {
  segmentRegion: "eu",
  segmentEndpoint: "https://segment.example.com/proxy",
  traitPrefix: "42",
  traitStyle: "typed",
  flags: { include: ["a*"], exclude: ["ab"] },
  flagsmithTraits: ["plan"],
  segments: true,
  anonymousIdentities: "drop",
  markActive: false,
  forward: "changes",
  refreshHours: 12,
  dryRun: true,
  logUserId: "hashed",
  logSampling: 0.5,
  logRetentionDays: 90,
  throttle: { rateLimit: 10, burstLimit: 20 },
  alarmEmail: "on-call@example.com",
  alarmTopicArn: "arn:aws:sns:eu-west-1:123456789012:alarms",
  kmsKeyArn: "arn:aws:kms:eu-west-1:123456789012:key/1",
};

const faultsOf = (input: unknown): string => {
  try {
    assertOptions(input, "production");
  } catch (error) {
    return String(error);
  }
  return "";
};

describe("assertOptions", () => {
  it("takes every option, and none", () => {
    expect(faultsOf(every)).toBe("");
    expect(faultsOf({})).toBe("");
  });

  it("gathers every fault and lists what is allowed", () => {
    const faults = faultsOf({ segmentRegion: "mars", colour: "red" });
    expect(faults).toContain('production.segmentRegion: allowed is "us" or "eu"; got "mars"');
    expect(faults).toContain(
      "production.colour: unknown option; allowed are segmentRegion, segmentEndpoint,",
    );
  });

  it.each([
    ["segmentRegion", "US"],
    ["segmentEndpoint", "http://segment.example.com"],
    ["segmentEndpoint", "http://127.0.0.1.example.com"],
    ["segmentEndpoint", "https://segment.example.com/?key=1"],
    ["segmentEndpoint", "segment"],
    ["traitPrefix", 42],
    ["traitPrefix", "x".repeat(101)],
    ["traitStyle", "loose"],
    ["flags", ["a"]],
    ["flags", { includes: ["a"] }],
    ["flags", { include: "a" }],
    ["flags", { include: [""] }],
    ["flags", { include: ["x".repeat(2_000)] }],
    ["flagsmithTraits", "plan"],
    ["flagsmithTraits", ["x".repeat(1_000)]],
    ["segments", "true"],
    ["anonymousIdentities", "ignore"],
    ["markActive", 1],
    ["forward", "some"],
    ["refreshHours", 0],
    ["refreshHours", "24"],
    ["refreshHours", 8_761],
    ["dryRun", null],
    ["logUserId", true],
    ["logSampling", 2],
    ["logRetentionDays", 31],
    ["throttle", { rate: 1 }],
    ["throttle", { rateLimit: 0 }],
    ["alarmEmail", "nobody"],
    ["alarmTopicArn", "arn:aws:sns:"],
    ["kmsKeyArn", "alias/mine"],
    ["kmsKeyArn", "arn:aws:kms:"],
    ["kmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:alias/mine"],
    ["segmentEndpoint", "https://:password@segment.example.com"],
    ["segmentEndpoint", "https://api.segment.io/v1/identify"],
  ])("refuses %s: %j", (name, value) => {
    expect(faultsOf({ [name]: value })).toContain(`production.${name}: allowed is `);
  });

  it.each(["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000"])(
    "takes %s: it is loopback",
    (url) => {
      expect(faultsOf({ segmentEndpoint: url })).toBe("");
    },
  );

  it.each([null, [], "production"])("refuses %j for a set of options", (input) => {
    expect(faultsOf(input)).toContain("production: allowed is an object of options");
  });

  it("does not take a name of Object.prototype for an option", () => {
    expect(faultsOf({ constructor: 1 })).toContain("production.constructor: unknown option");
  });
});

describe("the options of a function", () => {
  const carried = { ...toEnvironment("receive", every), ...toEnvironment("deliver", every) };

  it.each(["receive", "deliver"] as const)("reach %s through its environment unchanged", (functionName) => {
    const { options, faults } = fromEnvironment(functionName, toEnvironment(functionName, every));
    expect(faults).toEqual([]);
    expect(every).toMatchObject(options);
    expect(Object.keys(options).length).toBeGreaterThan(3);
  });

  it("have a variable each, but for those that infra alone reads", () => {
    const variables = Object.values(OPTIONS).flatMap(({ env }) => env ?? []);
    expect(Object.keys(carried).sort()).toEqual(variables.sort());
  });

  it("are absent when they were not given", () => {
    expect(toEnvironment("receive", {})).toEqual({});
    expect(fromEnvironment("receive", {})).toEqual({ options: {}, faults: [] });
  });

  it("are checked again, by variable", () => {
    expect(fromEnvironment("receive", { SEGMENTS: "yes", TRAIT_STYLE: "loose" }).faults).toEqual([
      'TRAIT_STYLE: allowed is "flagsmith" or "typed"; got "loose"',
      'SEGMENTS: allowed is true or false; got "yes"',
    ]);
  });
});

describe("resolveOptions", () => {
  it("takes the endpoint of the region unless one is given", () => {
    expect(resolveOptions({}).segmentEndpoint).toBe("https://api.segment.io");
    expect(resolveOptions({ segmentRegion: "eu" }).segmentEndpoint).toBe(
      "https://events.eu1.segmentapis.com",
    );
    expect(resolveOptions(every).segmentEndpoint).toBe("https://segment.example.com/proxy");
  });
});

describe("putParameterCommand", () => {
  it("makes a SecureString, in the region and with the key that are given", () => {
    expect(putParameterCommand("/p", "secret", { region: "eu-west-1", keyId: "arn:k" })).toBe(
      "aws ssm put-parameter --region eu-west-1 --name /p --type SecureString --key-id arn:k --overwrite --value '<secret>'",
    );
  });
});
