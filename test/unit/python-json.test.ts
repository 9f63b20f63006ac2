import { parsePythonJson } from "../../lambda/receive/python-json";

const parse = (text: string | Buffer) => parsePythonJson(Buffer.from(text));

describe("JSON as Python writes it", () => {
  it("has null for Infinity, -Infinity and NaN outside of strings", () => {
    for (const token of ["NaN", "Infinity", "-Infinity"]) {
      expect(parse(`{"${token}": [${token}, "${token}"]}`)).toEqual({ [token]: [null, token] });
    }
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
  ])("keeps all digits of %s", (text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  it("may have backslashes before the end of a string", () => {
    expect(parse(String.raw`{"a\\": NaN, "b\"NaN": "\\\"", "c": 12345678901234567890}`)).toEqual({
      "a\\": null,
      'b"NaN': '\\"',
      c: "12345678901234567890",
    });
  });

  it("may begin with a byte-order mark", () => {
    expect(parse("\uFEFF[1]")).toEqual([1]);
  });

  it("may have a key twice, of which the last counts, and the key __proto__", () => {
    const parsed = parse('{"a": 1, "a": 2, "__proto__": 3}');
    expect(Object.entries(Object(parsed))).toEqual([
      ["a", 2],
      ["__proto__", 3],
    ]);
  });

  it.each([
    ["nothing", "", "body: expected JSON, got nothing"],
    ["text", "secret words", "body: expected JSON"],
    ["a cut body", '{"a": [1', "body: expected JSON"],
    ["a cut string", '{"a": "b', "body: expected JSON"],
    ["a stray token", "[1NaN]", "body: expected JSON"],
    ["a zero before a long number", "[00000000000000000001]", "body: expected JSON"],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0x22]), "body: expected UTF-8"],
    ["6 MB of open brackets", "[".repeat(6_000_000), "body: expected JSON"],
  ])("is rejected without quoting it if it is %s", (_, text, message) => {
    expect(() => parse(text)).toThrow(new Error(message));
  });

  it("may have any depth", () => {
    expect(() => parse("[".repeat(100_000) + "]".repeat(100_000))).not.toThrow();
  });
});
