import type { Evaluation, Flag, Value } from "./evaluation";
import type { Selects } from "./selection";

export type TraitValue = Value | readonly string[];

export interface Trait {
  readonly value: TraitValue;
  /** What is sent when the value is too large for any call to Segment; undefined = leave the trait out. */
  readonly fallback: boolean | null | undefined;
}

export interface MappingOptions {
  /** Put before each flag's name. */
  readonly traitPrefix: string;
  /** `flagsmith`: one trait a flag, its value or its state. `typed`: state and value apart, so that each keeps its type. */
  readonly traitStyle: "flagsmith" | "typed";
  readonly selectsFlag: Selects;
  /** Which of the identity's own traits go along; undefined = none. */
  readonly selectsTrait: Selects | undefined;
  readonly segments: boolean;
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
  "address",
  "age",
  "avatar",
  "birthday",
  "company",
  "createdAt",
  "description",
  "email",
  "firstName",
  "gender",
  "id",
  "lastName",
  "name",
  "phone",
  "title",
  "username",
  "website",
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
  const put = (name: string, value: TraitValue, fallback: Trait["fallback"]) => {
    if (traits.has(name)) overwritten.push(name);
    traits.set(name, { value, fallback });
  };

  for (const { key, value } of evaluation.traits) {
    if (options.selectsTrait?.(key)) put(key, value, undefined);
  }
  const flags = new Map<string, Flag>();
  for (const flag of evaluation.flags) {
    if (!options.selectsFlag(flag.name)) continue;
    const prefixed = options.traitPrefix + flag.name;
    const reserved = RESERVED.has(prefixed);
    const name = reserved ? `flag_${prefixed}` : prefixed;
    if (reserved) renamed.push(name);
    if (flags.has(name)) overwritten.push(name);
    flags.set(name, flag);
  }
  for (const [name, flag] of flags) {
    if (options.traitStyle === "typed") putTyped(put, name, flag);
    else put(name, flag.enabled && flag.value !== null ? flag.value : flag.enabled, flag.enabled);
  }
  if (options.segments) put(SEGMENTS_TRAIT, segmentNames(evaluation), undefined);
  return { traits, renamed, overwritten };
}

function putTyped(
  put: (name: string, value: TraitValue, fallback: Trait["fallback"]) => void,
  name: string,
  flag: Flag,
): void {
  put(name, flag.enabled, flag.enabled);
  if (flag.value !== null) put(`${name}_value`, flag.enabled ? flag.value : null, null);
}

function segmentNames(evaluation: Evaluation): readonly string[] {
  return [...new Set(evaluation.segments)].filter((name) => !EXPERIMENT_SEGMENT.test(name)).sort();
}
