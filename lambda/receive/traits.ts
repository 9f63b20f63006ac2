import type { ResolvedOptions } from "../options";
import type { Evaluation, Flag, Value } from "./evaluation";
import type { Selects } from "./selection";

export type TraitValue = Value | readonly string[];

export interface Trait {
  readonly value: TraitValue;
  /** Sent if the value is too large for a call. undefined = the trait is not sent. */
  readonly fallback: boolean | null | undefined;
}

/** Options of the mapping, with compiled selections. */
export interface MappingOptions extends Pick<ResolvedOptions, "traitPrefix" | "traitStyle" | "segments"> {
  readonly selectsFlag: Selects;
  /** Selects the identity's own traits that are sent. */
  readonly selectsTrait: Selects;
}

export interface TraitSet {
  /** In the order of the sources. It is a Map, because a flag may be called `__proto__`. */
  readonly traits: ReadonlyMap<string, Trait>;
  /** New names of flags whose own name is reserved by Segment. */
  readonly renamed: readonly string[];
  /** Names that two sources have. The later source was sent. */
  readonly overwritten: readonly string[];
}

/** Traits that Segment reserves for users (Spec: Identify). A flag of that name would overwrite the user's data. */
const RESERVED: ReadonlySet<string> = new Set([
  ...["address", "age", "avatar", "birthday", "company", "createdAt", "description", "email", "firstName", "gender", "id"],
  ...["lastName", "name", "phone", "title", "username", "website"],
]);

/** Segments that Flagsmith creates for its experiments. They do not describe the user. */
const EXPERIMENT_SEGMENT = /^experiment-\d+-rollout$/;

/**
 * The mapping table. A later source overwrites an earlier one, so a flag wins over an identity's own trait:
 *
 * | source | trait | value |
 * |---|---|---|
 * | own trait, selected | its key | its value |
 * | flag, enabled, with a value | its name | the value, with its JSON type |
 * | flag, disabled or without a value | its name | `enabled` |
 * | flag in the typed style | its name; and `<name>_value` if it has a value | `enabled`; the value, null while disabled |
 * | segments | `flagsmith_segments` | sorted, distinct names |
 *
 * The rule for flags is the one of Flagsmith's own Segment integration.
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
  // If two flags have the same name, the later one sets both traits of the typed style, even if only the earlier one has a value.
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
