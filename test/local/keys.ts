/** The part of standard input that is needed. */
export interface KeyInput {
  readonly isTTY?: boolean;
  setRawMode(raw: boolean): unknown;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  off(event: "data", listener: (chunk: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface KeyActions {
  /** Actions by the character of the key. */
  readonly keys: Readonly<Record<string, () => void>>;
  /** Ctrl-C, which in raw mode is a character like any other. */
  readonly interrupt: () => void;
  /** Called for Ctrl-Z, after the terminal has been restored. */
  readonly suspend: () => void;
}

export interface Keys {
  /** Must be called after the shell has continued the process. */
  resume(): void;
  /** Restores the terminal. A second call does nothing. */
  restore(): void;
}

const CTRL_C = "\u0003";
const CTRL_Z = "\u001A";
/** Ctrl-\, which ends a program as well. */
const CTRL_BACKSLASH = "\u001C";

const NO_KEYS: Keys = { resume: () => {}, restore: () => {} };

/** Acts on single keys if input and output are a terminal. Piped input is not meant for this program, and a pager needs the keys itself. */
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
