import { type Options, resolveOptions } from "../../lambda/options";
import { compileSkip } from "../../lambda/receive/skip";

const HASH = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
const codeOf = (identity: string, options: Options = {}) => compileSkip(resolveOptions(options))(identity);

describe("an identity is skipped", () => {
  it.each(["undefined", "null", "NaN", "[object Object]"])("if a broken client sends it for all users: %s", (identity) => {
    expect(codeOf(identity)).toBe("placeholder-identity");
    expect(codeOf(identity, { identities: { include: ["*"] } })).toBe("placeholder-identity");
    expect(codeOf(identity, { identities: { include: ["*", identity] } })).toBeUndefined();
    expect(codeOf(identity, { identities: { include: [identity], exclude: [identity] } })).toBe("unselected-identity");
  });

  it.each([" ", "\t \n"])("if it consists of blanks, whatever is included: %j", (identity) => {
    expect(codeOf(identity, { identities: { include: ["*", identity] } })).toBe("placeholder-identity");
  });

  it.each(["Undefined", "nullable", "NaN-1", "[object Window]", "none", "0", "user undefined"])(
    "not because it looks like one of these: %j",
    (identity) => {
      expect(codeOf(identity)).toBeUndefined();
    },
  );

  it.each([
    ["user-1", undefined],
    ["guest", undefined],
    ["user-1-test", "unselected-identity"],
    ["server", "unselected-identity"],
  ])("if the option excludes it or does not include it: %s", (identity, expected) => {
    expect(codeOf(identity, { identities: { include: ["user-*", "guest"], exclude: ["*-test"] } })).toBe(expected);
  });

  it("if Flagsmith generated it and the option says drop", () => {
    expect(codeOf(HASH)).toBeUndefined();
    expect(codeOf(HASH, { anonymousIdentities: "anonymousId" })).toBeUndefined();
    expect(codeOf(HASH, { anonymousIdentities: "drop" })).toBe("nameless-identity");
    expect(codeOf("user-1", { anonymousIdentities: "drop" })).toBeUndefined();
  });
});
