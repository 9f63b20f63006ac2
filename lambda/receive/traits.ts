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
  /** Names under which a flag was sent because its own is reserved for people. */
  readonly renamed: readonly string[];
  /** Names that two sources ended up with: the later one was sent. */
  readonly overwritten: readonly string[];
}

export const SEGMENTS_TRAIT = "flagsmith_segments";

/** Traits that Segment reserves for people (Spec: Identify). A flag of that name would overwrite the person's data. */
const RESERVED: ReadonlySet<string> = new Set([
  ...["address", "age", "avatar", "birthday", "company", "createdAt", "description", "email", "firstName", "gender", "id"],
  ...["lastName", "name", "phone", "title", "username", "website"],
]);

/** Segments that Flagsmith makes for its experiments: they say nothing about the person. */
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
  const set: SetTrait = (name, value, fallback) => {
    const { size } = traits;
    traits.set(name, { value, fallback });
    if (traits.size === size) overwritten.push(name);
  };
  const nameOf = (flag: Flag): string => {
    const name = options.traitPrefix + flag.name;
    if (!RESERVED.has(name)) return name;
    renamed.push(`flag_${name}`);
    return `flag_${name}`;
  };
  for (const { key, value } of evaluation.traits) if (options.selectsTrait(key)) set(key, value, undefined);
  const flags = evaluation.flags.filter(({ name }) => options.selectsFlag(name));
  if (options.traitStyle === "typed") setTyped(set, flags, nameOf, overwritten);
  else for (const flag of flags) set(nameOf(flag), traitValueOf(flag), flag.enabled);
  if (options.segments) set(SEGMENTS_TRAIT, segmentNames(evaluation), undefined);
  return { traits, renamed, overwritten };
}

type SetTrait = (name: string, value: TraitValue, fallback: Trait["fallback"]) => void;

function traitValueOf({ enabled, value }: Flag): TraitValue {
  return enabled && value !== null ? value : enabled;
}

/** Of two flags with one name the later gives both traits, or neither of them has a value. */
function setTyped(set: SetTrait, flags: readonly Flag[], nameOf: (flag: Flag) => string, overwritten: string[]): void {
  const named = new Map<string, Flag>();
  for (const flag of flags) {
    const name = nameOf(flag);
    if (named.has(name)) overwritten.push(name);
    named.set(name, flag);
  }
  for (const [name, { enabled, value }] of named) {
    set(name, enabled, enabled);
    if (value !== null) set(`${name}_value`, enabled ? value : null, null);
  }
}

function segmentNames(evaluation: Evaluation): readonly string[] {
  return [...new Set(evaluation.segments)].filter((name) => !EXPERIMENT_SEGMENT.test(name)).sort();
}
