import { readArguments } from "./arguments";

describe("the arguments of npm start", () => {
  it.each([
    [[], { json: false, demo: false, segmentMode: undefined }],
    [["--demo", "--segment", "reject"], { json: false, demo: true, segmentMode: "reject" }],
    [["--json", "--segment=429"], { json: true, demo: false, segmentMode: "429" }],
  ])("are read: %j", (args, given) => {
    expect(readArguments(args, {})).toEqual(given);
  });

  it.each<[readonly string[], Record<string, string>, RegExp]>([
    [["--nonsense"], {}, /^Unknown option '--nonsense'\nusage: npm start -- /],
    [["nonsense"], {}, /^Unexpected argument 'nonsense'.*\nusage/],
    [["--segment", "away"], {}, /^--segment: allowed is ok, slow, 429, reject, down; got away\nusage/],
    [["--segment"], {}, /^Option '--segment <value>' argument missing\nusage/],
  ])("are refused with what is allowed: %j", (args, environment, message) => {
    expect(() => readArguments(args, environment)).toThrow(message);
  });

  it.each<[string, readonly string[], Record<string, string>, string]>([
    ["a switch", [], { npm_config_demo: "true" }, "npm start -- --demo"],
    ["a value after a space", ["reject"], { npm_config_segment: "true" }, "npm start -- --segment reject"],
    [
      "a value after an equals sign",
      [],
      { npm_config_segment: "slow", npm_config_demo: "true" },
      "npm start -- --demo --segment slow",
    ],
  ])("that npm took for itself are named, with what to type: %s", (_, args, environment, typed) => {
    const message = new RegExp(`^npm took --\\w+ for itself; type: ${typed}\\n`);
    expect(() => readArguments(args, { npm_lifecycle_event: "start", ...environment })).toThrow(message);
  });
});
