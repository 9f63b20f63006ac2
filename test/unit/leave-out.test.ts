import { type Options, resolveOptions } from "../../lambda/options";
import { leavesOut } from "../../lambda/receive/leave-out";

const HASH = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
const codeOf = (identity: string, options: Options = {}) => leavesOut(resolveOptions(options))(identity);

describe("leavesOut", () => {
  it.each(["undefined", "null", "NaN", "[object Object]", " ", "\t \n"])(
    "takes %j for a placeholder, unless told to identify",
    (identity) => {
      expect(codeOf(identity)).toBe("placeholder-identity");
      expect(codeOf(identity, { identities: { include: ["*"] } })).toBe("placeholder-identity");
      expect(codeOf(identity, { placeholderIdentities: "identify" })).toBeUndefined();
    },
  );

  it.each(["Undefined", "nullable", "NaN-1", "[object Window]", "none", "0", "user undefined"])(
    "does not take %j for one",
    (identity) => {
      expect(codeOf(identity)).toBeUndefined();
    },
  );

  it("takes the identities that are selected, by wildcards", () => {
    const options = { identities: { include: ["user-*", "guest"], exclude: ["*-test"] } };
    expect(["user-1", "guest"].map((identity) => codeOf(identity, options))).toEqual([undefined, undefined]);
    expect(["user-1-test", "server"].map((identity) => codeOf(identity, options))).toEqual(
      Array(2).fill("unselected-identity"),
    );
  });

  it("drops the nameless if the option says so", () => {
    expect(codeOf(HASH)).toBeUndefined();
    expect(codeOf(HASH, { anonymousIdentities: "anonymousId" })).toBeUndefined();
    expect(codeOf(HASH, { anonymousIdentities: "drop" })).toBe("nameless-identity");
    expect(codeOf("user-1", { anonymousIdentities: "drop" })).toBeUndefined();
  });
});
