import { parseIdentifyCall } from "../../lambda/identify-call";
import { tryParseJson } from "../../lambda/json";

export type Traits = Readonly<Record<string, unknown>>;

/** Returns the message's id and its traits, or undefined for a message that deliver can't read either. */
export function traitsOf(body: string): [messageId: string, traits: Traits] | undefined {
  try {
    const { messageId } = parseIdentifyCall(body);
    return [messageId, Object(tryParseJson(body)).traits];
  } catch {
    return undefined;
  }
}
