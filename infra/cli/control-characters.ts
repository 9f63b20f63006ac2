/** C0, DEL and C1 control a terminal. Direction marks (bidi), U+2028 and U+2029 make a name look like another one. */
const CONTROL_CHARACTERS = /[\p{Cc}\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/gu;

/** Escapes as JSON does, for example `\u001b`, so that JSON keeps its meaning. `kept`: characters that format the text itself. */
export function escapeControlCharacters(text: string, kept = ""): string {
  return text.replace(CONTROL_CHARACTERS, (character) => {
    if (kept.includes(character)) return character;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
