import { tablePicture, terminalPicture } from "./svg";

const textsOf = (svg: string) =>
  [...svg.matchAll(/<text x="([\d.]+)" y="(\d+)" fill="([^"]+)"[^>]*>([^<]*)</g)].map(([, ...found]) => found);

describe("the picture of a terminal", () => {
  it("has each text at its column and line, in its colour", () => {
    const svg = terminalPicture("a  b <c>\n\u001B[31mred\u001B[0m x", 80, "what it shows");
    expect(textsOf(svg)).toEqual([
      ["16.0", "30", "#d1d7e0", "a"],
      ["41.2", "30", "#d1d7e0", "b &lt;c&gt;"],
      ["16.0", "49", "#ff7b72", "red"],
      ["49.6", "49", "#d1d7e0", "x"],
    ]);
    expect(svg).toContain("<title>what it shows</title>");
  });

  it("breaks a line where the terminal ends", () => {
    expect(textsOf(terminalPicture("abcdef", 4, "")).map(([, y, , text]) => [y, text])).toEqual([
      ["30", "abcd"],
      ["49", "ef"],
    ]);
  });
});

describe("the picture of a mapping", () => {
  it("has each flag beside its trait", () => {
    const svg = tablePicture({ titles: ["flags", "traits"], rows: [["email off", "flag_email = false"]] }, "");
    const texts = textsOf(svg).map(([, y, , text]) => `${y} ${text}`);
    expect(texts).toEqual(["30 flags", "30 traits", "68 email off", "68 →", "68 flag_email = false"]);
  });
});
