import type { Template } from "aws-cdk-lib/assertions";
import { resolve as resolveValue } from "./template";

/** One use of an AWS API, as IAM sees it. */
export interface AwsUse {
  readonly action: string;
  readonly resource: string;
  /** Condition keys with their values. */
  readonly context?: Readonly<Record<string, string>>;
}

export interface Statement {
  readonly role: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: Readonly<Record<string, string>>;
}

/** Returns the statements of the roles' policies. A reference becomes the logical id, and an ARN becomes `arn of <logical id>`. */
export function statementsOf(template: Template): readonly Statement[] {
  const policies = Object.values(template.findResources("AWS::IAM::Policy"));
  return policies.flatMap(
    ({
      Properties: {
        Roles: [role],
        PolicyDocument: document,
      },
    }) =>
      document.Statement.map((statement: Readonly<Record<string, unknown>>) => {
        const { Effect: effect, Action: action, Resource: resource, Condition: condition = {} } = statement;
        const { StringEquals: equals = {}, ...otherConditions } = Object(condition);
        if (effect !== "Allow" || Object.keys(otherConditions).length > 0) {
          throw new Error(`a statement that the matcher does not know: ${JSON.stringify(statement)}`);
        }
        return {
          role: String(role.Ref),
          actions: [action].flat(),
          resources: [resource].flat().map(resolve),
          conditions: Object.fromEntries(Object.entries(equals).map(([key, value]) => [key, resolve(value)])),
        };
      }),
  );
}

/** Compares names exactly. A wildcard in a policy matches nothing, so the test fails. */
export function allows(statement: Statement, { action, resource, context = {} }: AwsUse): boolean {
  return (
    statement.actions.includes(action) &&
    statement.resources.includes(resource) &&
    Object.entries(statement.conditions).every(([key, value]) => context[key] === value)
  );
}

const resolve = (value: unknown) => resolveValue(value, (id) => (id.endsWith(".Arn") ? `arn of ${id.slice(0, -4)}` : id));
