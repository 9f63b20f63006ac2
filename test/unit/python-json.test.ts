import { parsePythonJson } from "../../lambda/receive/python-json";

const parse = (text: string | Buffer) => parsePythonJson(Buffer.from(text));

describe("parsePythonJson", () => {
  it("takes Infinity, -Infinity and NaN for null, outside of strings only", () => {
    expect(parse('{"a": Infinity, "b": [-Infinity, NaN], "NaN": "Infinity, NaN"}')).toEqual({
      a: null,
      b: [null, null],
      NaN: "Infinity, NaN",
    });
  });

  it.each(["NaN", "Infinity", "-Infinity"])("takes %s for null where nothing else is odd", (token) => {
    expect(parse(`{"a": ${token}}`)).toEqual({ a: null });
  });

  it.each([
    ["9007199254740991", 9007199254740991],
    ["9007199254740992", 9007199254740992],
    ["9007199254740993", "9007199254740993"],
    ["-9007199254740993", "-9007199254740993"],
    ["123456789012345678901234567890", "123456789012345678901234567890"],
    ["0.1234567890123456789", Number("0.1234567890123456789")],
    ["1234567890123456789.5", Number("1234567890123456789.5")],
    ["12345678901234567890e2", Number("12345678901234567890e2")],
    ["1e0000000000000000002", 100],
    ['"12345678901234567890"', "12345678901234567890"],
  ])("reads %s without losing digits", (text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  it("finds the end of strings behind backslashes", () => {
    expect(parse(String.raw`{"a\\": NaN, "b\"NaN": "\\\"", "c": 12345678901234567890}`)).toEqual({
      "a\\": null,
      'b"NaN': '\\"',
      c: "12345678901234567890",
    });
  });

  it("skips a byte-order mark", () => {
    expect(parse("\uFEFF[1]")).toEqual([1]);
  });

  it("keeps the last of duplicate keys, and __proto__ as a key like any other", () => {
    const parsed = parse('{"a": 1, "a": 2, "__proto__": 3}');
    expect(Object.entries(Object(parsed))).toEqual([
      ["a", 2],
      ["__proto__", 3],
    ]);
  });

  it.each([
    ["nothing", "", "body: expected JSON, got nothing"],
    ["words", "secret words", "body: expected JSON"],
    ["a cut body", '{"a": [1', "body: expected JSON"],
    ["a cut string", '{"a": "b', "body: expected JSON"],
    ["a stray token", "[1NaN]", "body: expected JSON"],
    ["a zero before a long number", "[00000000000000000001]", "body: expected JSON"],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0x22]), "body: expected UTF-8"],
    ["6 MB of open brackets", "[".repeat(6_000_000), "body: expected JSON"],
  ])("refuses %s without quoting it", (_, text, message) => {
    expect(() => parse(text)).toThrow(new Error(message));
  });

  it("takes any depth", () => {
    expect(() => parse("[".repeat(100_000) + "]".repeat(100_000))).not.toThrow();
  });
});
