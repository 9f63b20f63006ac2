import type { Aws } from "../aws";
import { judgeParameter } from "../checks/parameters";
import { isSegments, KEY_LENGTH, readSettings, type SegmentRegion, sourceRegion } from "../checks/write-key";
import { CommandError } from "../command";
import type { Dialog } from "./dialog";

export interface JudgedKey {
  readonly writeKey: string;
  /** The region of the key's source. undefined = Segment does not say. */
  readonly region: SegmentRegion | undefined;
}

/** `endpoint` is the URL that deliver will send to. undefined = Segment's own endpoint in either region. */
export interface KeyPlace {
  readonly aws: Aws;
  readonly endpoint: string | undefined;
}

/** How often the key is asked for. */
const MOST_QUESTIONS = 3;

/** Asks for the key until it is valid, or until the operator insists on it. @throws CommandError after three answers */
export async function askWriteKey(dialog: Dialog, place: KeyPlace): Promise<JudgedKey> {
  for (let question = 0; question < MOST_QUESTIONS; question++) {
    const writeKey = await dialog.secretText(
      "Segment's write key (Sources, the HTTP API source, Settings, API Keys; it is not shown):",
    );
    const error = errorOf(writeKey);
    if (error === undefined) {
      const { doubt, region } = await lookUp(dialog, writeKey, place);
      const says = "the write key is used as it is";
      if (doubt === undefined) return { writeKey, region };
      if (await dialog.confirm(`${doubt}. Use it?`, { answer: true, says: `${doubt}; ${says}` })) return { writeKey, region };
      continue;
    }
    if (dialog.isUnattended) throw new CommandError(`the write key on standard input ${error}: nothing was written`);
    dialog.print(`the write key ${error}`);
  }
  throw new CommandError("no write key: nothing was written");
}

/** Why the text can't be a write key. */
function errorOf(writeKey: string): string | undefined {
  if (/\s/.test(writeKey)) return "has blanks or several lines";
  const parameter = { type: "SecureString", value: writeKey, changedAt: undefined };
  const { level, detail } = judgeParameter(parameter, { create: "", overwrite: "" }, false);
  return level === "ok" ? undefined : detail;
}

/** Prints what Segment says about the key, but never the key itself. `doubt`: why it may be the wrong key. */
export async function lookUp(dialog: Dialog, writeKey: string, { aws, endpoint }: KeyPlace) {
  const { length } = writeKey;
  const short = length === KEY_LENGTH ? undefined : `the write key has ${length} characters; Segment's have ${KEY_LENGTH}`;
  if (endpoint !== undefined && !isSegments(endpoint)) {
    dialog.print(`skip  write key at Segment: not looked at: ${endpoint} is not Segment's`);
    return { doubt: short, region: undefined };
  }
  const settings = await readSettings(aws.settingsUrl, writeKey);
  const region = sourceRegion(settings);
  switch (settings.kind) {
    case "unseen":
      dialog.print(`skip  write key at Segment: ${settings.why}`);
      return { doubt: short, region };
    case "unknown-key": {
      const unknown = "no source at Segment has the write key: it is a wrong one, or of a source that is younger than a day";
      return { doubt: short === undefined ? unknown : `${short}, and ${unknown}`, region };
    }
    case "settings":
      dialog.print(`ok    write key at Segment: belongs to a source${region === undefined ? "" : ` in ${region}`}`);
      return { doubt: short, region };
  }
}
