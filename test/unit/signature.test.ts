import { sign, verifySignature } from "../../lambda/receive/signature";
import { fixture, signatures } from "../support/fixtures";

const bytes = Buffer.from("what do ya want for nothing?");

describe("a signature", () => {
  // RFC 4231, test case 2.
  it("is a lower-case hex HMAC-SHA256", () => {
    expect(sign(bytes, "Jefe")).toBe("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  });

  it("is of the bytes, also if they are not UTF-8", () => {
    expect(sign(Buffer.from([0xff]), "Jefe")).not.toBe(sign(Buffer.from([0xfe]), "Jefe"));
  });

  it.each(Object.entries(signatures.files))("is what Flagsmith sent with %s", (name, expected) => {
    expect(sign(fixture(name), signatures.secret)).toBe(expected);
  });
});

describe("a signature is verified", () => {
  const header = sign(bytes, "new");

  it("with any of three secrets during a rotation", () => {
    expect(verifySignature(bytes, header, ["oldest", "old", "new"])).toBe(true);
    expect(verifySignature(bytes, header, ["new", "old", "oldest"])).toBe(true);
  });

  it.each([
    ["another secret's", sign(bytes, "other")],
    ["another body's", sign(Buffer.from("other"), "new")],
    ["upper-case", header.toUpperCase()],
    ["prefixed", `sha256=${header}`],
    ["after a blank", ` ${header}`],
    ["given twice", `${header},${header}`],
    ["cut", header.slice(0, -1)],
    ["too long", `${header}0`],
    ["with one digit changed", (header.startsWith("0") ? "1" : "0") + header.slice(1)],
    ["empty", ""],
    ["non-ASCII", "é".repeat(64)],
  ])("as wrong if it is %s", (_, given) => {
    expect(verifySignature(bytes, given, ["new"])).toBe(false);
  });

  it("as wrong if there is no secret", () => {
    expect(verifySignature(bytes, sign(bytes, ""), [])).toBe(false);
  });
});
