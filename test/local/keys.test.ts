import { EventEmitter } from "node:events";
import { listenToKeys } from "./keys";

class FakeInput extends EventEmitter {
  readonly calls: string[] = [];
  constructor(readonly isTTY: boolean) {
    super();
  }
  setRawMode(raw: boolean): void {
    this.calls.push(raw ? "raw" : "cooked");
  }
  resume(): void {
    this.calls.push("resume");
  }
  pause(): void {
    this.calls.push("pause");
  }
  press(keys: string): void {
    this.emit("data", Buffer.from(keys));
  }
}

function listening(input: FakeInput, outputIsTerminal = true) {
  const acted: string[] = [];
  const act = (name: string) => () => acted.push(name);
  const keys = listenToKeys(
    input,
    { isTTY: outputIsTerminal },
    {
      keys: { s: act("s"), r: act("r") },
      interrupt: act("interrupt"),
      suspend: () => acted.push(`suspend in ${input.calls.at(-1)} mode`),
    },
  );
  return { acted, keys };
}

describe("the keys of the local run", () => {
  it("act on what is pressed, and on nothing else", () => {
    const input = new FakeInput(true);
    const { acted } = listening(input);
    input.press("sx\u001Br");
    expect(acted).toEqual(["s", "r"]);
  });

  it("keep Ctrl-C and Ctrl-Z working, with the terminal as it was while the program is suspended", () => {
    const input = new FakeInput(true);
    const { acted, keys } = listening(input);
    input.press("\u0003");
    input.press("\u001A");
    expect(acted).toEqual(["interrupt", "suspend in cooked mode"]);
    expect(input.calls).toEqual(["raw", "resume", "cooked"]);
    keys.resume();
    expect(input.calls.at(-1)).toBe("raw");
  });

  it("give the terminal back once, and stay away from it then", () => {
    const input = new FakeInput(true);
    const { acted, keys } = listening(input);
    keys.restore();
    keys.restore();
    keys.resume();
    input.press("s");
    expect(acted).toEqual([]);
    expect(input.calls).toEqual(["raw", "resume", "cooked", "pause"]);
  });

  it.each([
    [false, true],
    [true, false],
  ])("leave the streams alone unless both are terminals", (inputIsTerminal, outputIsTerminal) => {
    const input = new FakeInput(inputIsTerminal);
    const { acted, keys } = listening(input, outputIsTerminal);
    input.press("s\u0003");
    keys.restore();
    expect([...acted, ...input.calls]).toEqual([]);
  });
});
