/** Returns what a template's reference stands for. A `Ref` is given as its logical id, a `Fn::GetAtt` as `id.attribute`. */
export type References = (reference: string) => string;

const PSEUDO: Readonly<Record<string, string>> = {
  "AWS::Partition": "aws",
  "AWS::Region": "us-east-1",
  "AWS::AccountId": "000000000000",
  "AWS::URLSuffix": "amazonaws.com",
};

/** Resolves a value of a template as CloudFormation does at a deployment. */
export function resolve(value: unknown, references: References): string {
  if (typeof value === "string") return value;
  const { Ref: ref, "Fn::GetAtt": attribute, "Fn::Join": join } = Object(value);
  if (join !== undefined) return join[1].map((part: unknown) => resolve(part, references)).join(join[0]);
  if (ref !== undefined) return PSEUDO[ref] ?? references(ref);
  if (attribute !== undefined) return references(attribute.join("."));
  throw new Error(`a value that the template's reader does not know: ${JSON.stringify(value)}`);
}
