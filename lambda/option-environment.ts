import { tryParseJson } from "./domain/json";
import { type FunctionName, faultOf, isOptionName, OPTIONS, type OptionName } from "./option-rules";
import type { Options } from "./options";

type Carried = { readonly name: OptionName; readonly variable: string; readonly text: boolean };

/** The options that a function reads from its environment. */
function carriedBy(functionName: FunctionName): readonly Carried[] {
  return Object.entries(OPTIONS).flatMap(([name, rule]) =>
    isOptionName(name) && rule.env !== undefined && rule.readBy?.includes(functionName)
      ? [{ name, variable: rule.env, text: rule.text === true }]
      : [],
  );
}

/** The variables that carry options to a function; an option that was not given has none. */
export function toEnvironment(
  functionName: FunctionName,
  options: Options,
): Readonly<Record<string, string>> {
  const variables = carriedBy(functionName).flatMap(({ name, variable, text }) => {
    const value = options[name];
    return value === undefined ? [] : [[variable, text ? String(value) : JSON.stringify(value)]];
  });
  return Object.fromEntries(variables);
}

/** Reads them back; `faults` names each variable whose value is not allowed. */
export function fromEnvironment(
  functionName: FunctionName,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly options: Options; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const options: Partial<Record<OptionName, unknown>> = {};
  for (const { name, variable, text } of carriedBy(functionName)) {
    const raw = environment[variable];
    // What is not JSON stays text, which the option's rule then refuses by name.
    const value = raw === undefined || text ? raw : (tryParseJson(raw) ?? raw);
    const fault = faultOf(variable, name, value);
    if (fault !== undefined) faults.push(fault);
    else if (value !== undefined) options[name] = value;
  }
  return { options: options as Options, faults };
}
