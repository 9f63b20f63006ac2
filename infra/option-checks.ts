import { Annotations, Token } from "aws-cdk-lib";
import { RegionInfo } from "aws-cdk-lib/region-info";
import type { Construct } from "constructs";
import { ConfigurationError } from "../lambda/errors";
import { isJsonObject } from "../lambda/json";
import type { OptionName, Options, Selection } from "../lambda/options";
import { OPTION_NAMES, OPTION_RULES, REMOVED_OPTIONS } from "./option-rules";

/** The place where options are given. */
export interface OptionPlace {
  /** The name of the place in error messages. */
  readonly where: string;
  /** Options that this place does not have. @default - none */
  readonly without?: readonly OptionName[];
  /** The stack's region. undefined or a token = it is not known at synth. */
  readonly region?: string | undefined;
}

/**
 * Limit for the options in `LISTS` together. Lambda allows 4,096 bytes for the JSON of all variables, in which each quote of `CONFIG`
 * counts twice. The rest of receive's variables needs at most 1,250 bytes.
 */
const MAX_LISTS_BYTES = 2_800;
const LISTS = [
  "traitPrefix",
  "flags",
  "flagsmithTraits",
  "identities",
  "experiments",
  "removeTraits",
] as const satisfies readonly OptionName[];

/** An app in plain JavaScript may pass any value. @throws ConfigurationError unless it is an object. */
export function assertProps<Props extends object>(props: Props | undefined, where: string): Props {
  if (isJsonObject(props)) return props;
  throw new ConfigurationError([`${where}: allowed is an object of props; got ${shorten(props)}`]);
}

/** All errors in the options. Each says what is allowed. */
export function optionErrors(input: unknown, place: OptionPlace): readonly string[] {
  const { where } = place;
  if (!isJsonObject(input)) return [`${where}: allowed is an object of options; got ${shorten(input)}`];
  const errors = Object.entries(input).flatMap(
    ([name, value]) => optionError(`${where}.${name}`, name, value, place.without) ?? [],
  );
  const bytes = escapedBytes(Object.fromEntries(LISTS.map((name) => [name, input[name]])));
  if (bytes > MAX_LISTS_BYTES) {
    const allowed = `allowed are ${MAX_LISTS_BYTES} bytes for ${LISTS.join(", ")} together, in which a quote counts twice`;
    errors.push(`${where}: ${allowed}; got ${bytes}`);
  }
  if (input.segmentRegion !== undefined && input.segmentEndpoint !== undefined) {
    errors.push(`${where}: segmentRegion and segmentEndpoint both say where Segment is; remove one of them`);
  }
  if (Array.isArray(input.experiments) && input.experiments.length > 0 && input.forward !== "changes") {
    const why = "without the records of what each user has, every evaluation would be an event";
    errors.push(`${where}.experiments: it needs "forward": "changes", because ${why}`);
  }
  return [...errors, ...arnErrors(input, place)];
}

/** The error in one option, or undefined. `label` is the option's name in the message. */
export function optionError(
  label: string,
  name: string,
  value: unknown,
  without: readonly OptionName[] = [],
): string | undefined {
  if (Object.hasOwn(REMOVED_OPTIONS, name)) return `${label}: this release has no such option; ${REMOVED_OPTIONS[name]}`;
  const names = OPTION_NAMES.filter((each) => !without.includes(each));
  const known = names.find((each) => each === name);
  if (known === undefined) {
    const nearest = nearestOf(name, names);
    return `${label}: unknown option${nearest ? `, did you mean ${nearest}?` : ""}; allowed are ${names.join(", ")}`;
  }
  const { allowed, accepts } = OPTION_RULES[known];
  if (value === undefined || (accepts(value) && !isDynamicReference(value))) return undefined;
  return `${label}: allowed is ${allowed}${isDynamicReference(value) ? ", without {{resolve:" : ""}; got ${shorten(value)}`;
}

/** Warns of options that have no effect or that exclude everything. */
export function warnOfOptions(
  construct: Construct,
  { flags, identities, flagsmithTraits, refreshHours, forward }: Options,
): void {
  const warn = (name: OptionName, text: string) => {
    Annotations.of(construct).addWarningV2(`flagsmith-to-segment:${name}`, `Option ${name} ${text}`);
  };
  if (excludesAll(identities)) warn("identities", "excludes every identity, so nothing is sent.");
  if (excludesAll(flags)) warn("flags", "excludes every flag, so calls have no traits of flags.");
  if (Array.isArray(flagsmithTraits) && flagsmithTraits.length === 0)
    warn("flagsmithTraits", "is an empty list, so no own trait is sent.");
  if (refreshHours !== undefined && forward !== "changes") warn("refreshHours", 'has no effect without "forward": "changes".');
}

function excludesAll({ include, exclude = [] }: Selection = {}): boolean {
  return exclude.includes("*") || include?.every((name) => exclude.includes(name)) === true;
}

/** CloudFormation would replace a dynamic reference with the value that it refers to. */
function isDynamicReference(value: unknown): boolean {
  return !Token.isUnresolved(value) && (JSON.stringify(value) ?? "").includes("{{resolve:");
}

/** CloudWatch can't publish to a topic in another region, and Parameter Store can't use a key in another region. */
function arnErrors(options: Readonly<Record<string, unknown>>, { where, region }: OptionPlace): readonly string[] {
  if (region === undefined || Token.isUnresolved(region)) return [];
  const { partition } = RegionInfo.get(region);
  return (["alarmTopicArn", "kmsKeyArn"] as const).flatMap((name) => {
    const [, arnPartition, , arnRegion] = String(options[name]).split(":");
    if (arnRegion === undefined || Token.isUnresolved(options[name])) return [];
    if (arnRegion !== region)
      return [`${where}.${name}: it is in ${arnRegion}, and the stack is in ${region}; give one of that region`];
    if (partition === undefined || arnPartition === partition) return [];
    return [`${where}.${name}: ${region} is in partition ${partition}, and the ARN says ${arnPartition}`];
  });
}

/** The size as Lambda counts it. The variable's value is JSON, and it is a string within the JSON of all variables. */
function escapedBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(JSON.stringify(value)));
}

/** The name with the smallest edit distance, if that is at most a third of the given name's length. */
function nearestOf(name: string, names: readonly OptionName[]): OptionName | undefined {
  const [nearest] = names
    .map((each) => ({ each, changes: editDistance(name.toLowerCase(), each.toLowerCase()) }))
    .sort((one, other) => one.changes - other.changes);
  return nearest !== undefined && nearest.changes <= name.length / 3 ? nearest.each : undefined;
}

/** The number of letters to insert, delete or replace (Levenshtein). */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (const [column, otherLetter] of [...other].entries()) {
      const replaced = (row[column] ?? 0) + (letter === otherLetter ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

function shorten(value: unknown): string {
  const shown = JSON.stringify(value) ?? "nothing";
  return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
}
