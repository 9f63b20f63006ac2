import type { ResolvedOptions } from "../options";
import type { Evaluation, Flag, Value } from "./evaluation";
import type { Selects } from "./selection";

export type TraitValue = Value | readonly string[];

export interface Trait {
  readonly value: TraitValue;
  /** What is sent when the value is too large for any call to Segment; undefined = leave the trait out. */
  readonly fallback: boolean | null | undefined;
}

/** The mapping's part of the options, its selections compiled. */
export interface MappingOptions extends Pick<ResolvedOptions, "traitPrefix" | "traitStyle" | "segments"> {
  readonly selectsFlag: Selects;
  /** Which of the identity's own traits are sent as well. */
  readonly selectsTrait: Selects;
}

export interface TraitSet {
  /** In the order of the payload. A Map, because a flag may be called `__proto__`. */
  readonly traits: ReadonlyMap<string, Trait>;
  /** Names under which a flag was sent because Segment reserves its own for users. */
  readonly renamed: readonly string[];
  /** Names that two sources ended up with: the later one was sent. */
  readonly overwritten: readonly string[];
}

/** Traits that Segment reserves for users (Spec: Identify). A flag of that name would overwrite the user's data. */
const RESERVED: ReadonlySet<string> = new Set([
  ...["address", "age", "avatar", "birthday", "company", "createdAt", "description", "email", "firstName", "gender", "id"],
  ...["lastName", "name", "phone", "title", "username", "website"],
]);

/** Segments that Flagsmith makes for its experiments: they say nothing about the user. */
const EXPERIMENT_SEGMENT = /^experiment-\d+-rollout$/;

/**
 * The mapping table. Sources in the order in which they are written, so that a flag wins over an identity's own trait:
 *
 * | source | trait | value |
 * |---|---|---|
 * | own trait, selected | its key | its value |
 * | flag, enabled, with a value | its name | the value, with its JSON type |
 * | flag, disabled or without a value | its name | `enabled` |
 * | flag in the typed style | its name; and `<name>_value` if it has a value | `enabled`; the value, null while disabled |
 * | segments | `flagsmith_segments` | sorted, distinct names |
 *
 * The rule for flags is that of Flagsmith's own Segment integration.
 */
export function toTraits(evaluation: Evaluation, options: MappingOptions): TraitSet {
  const traits = new Map<string, Trait>();
  const renamed: string[] = [];
  const overwritten: string[] = [];
  const set = (name: string, value: TraitValue, fallback?: Trait["fallback"]) => {
    if (traits.has(name)) overwritten.push(name);
    traits.set(name, { value, fallback });
  };
  for (const { key, value } of evaluation.traits) if (options.selectsTrait(key)) set(key, value);
  // Of two flags with one name the later gives both traits of the typed style, also where only the earlier has a value.
  const flags = new Map<string, Flag>();
  for (const flag of evaluation.flags.filter(({ name }) => options.selectsFlag(name))) {
    const own = options.traitPrefix + flag.name;
    const name = RESERVED.has(own) ? `flag_${own}` : own;
    if (name !== own) renamed.push(name);
    if (flags.has(name)) overwritten.push(name);
    flags.set(name, flag);
  }
  for (const [name, { enabled, value }] of flags) {
    if (options.traitStyle === "typed") {
      set(name, enabled, enabled);
      if (value !== null) set(`${name}_value`, enabled ? value : null, null);
    } else set(name, enabled && value !== null ? value : enabled, enabled);
  }
  const segments = [...new Set(evaluation.segments)].filter((name) => !EXPERIMENT_SEGMENT.test(name)).sort();
  if (options.segments) set("flagsmith_segments", segments);
  return { traits, renamed, overwritten };
}
