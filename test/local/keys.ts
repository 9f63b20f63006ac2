/** As much of standard input as is needed. */
export interface KeyInput {
  readonly isTTY?: boolean;
  setRawMode(raw: boolean): unknown;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  off(event: "data", listener: (chunk: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface KeyActions {
  /** By the character of the key. */
  readonly keys: Readonly<Record<string, () => void>>;
  /** Ctrl-C, which in raw mode is a character like any other. */
  readonly interrupt: () => void;
  /** Ctrl-Z. The terminal is as it was by then. */
  readonly suspend: () => void;
}

export interface Keys {
  /** After the shell has continued the process. */
  resume(): void;
  /** Gives the terminal back as it was. More than once does no harm. */
  restore(): void;
}

const CTRL_C = "\u0003";
const CTRL_Z = "\u001A";
/** Ctrl-\, which ends a program as well. */
const CTRL_BACKSLASH = "\u001C";

const NO_KEYS: Keys = { resume: () => {}, restore: () => {} };

/** Acts on single keys, if a user sits at both ends: piped input is not for this program, and a pager needs the keys itself. */
export function listenToKeys(input: KeyInput, output: { readonly isTTY?: boolean }, actions: KeyActions): Keys {
  if (input.isTTY !== true || output.isTTY !== true) return NO_KEYS;
  const onData = (chunk: Buffer) => {
    for (const character of chunk.toString()) {
      if (character === CTRL_C || character === CTRL_BACKSLASH) actions.interrupt();
      else if (character === CTRL_Z) {
        input.setRawMode(false);
        actions.suspend();
      } else if (Object.hasOwn(actions.keys, character)) actions.keys[character]?.();
    }
  };
  input.setRawMode(true);
  input.on("data", onData);
  input.resume();
  let restored = false;
  return {
    resume: () => {
      if (!restored) input.setRawMode(true);
    },
    restore: () => {
      if (restored) return;
      restored = true;
      input.off("data", onData);
      input.setRawMode(false);
      input.pause();
    },
  };
}
