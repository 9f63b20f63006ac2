import * as cdk from "aws-cdk-lib";
import { warnOfOtherCdk } from "../../infra/overrides";

/** A stack that another copy of aws-cdk-lib made, as in an app whose own copy is not the one that the package finds. */
function stackOf(copy: typeof cdk) {
  return new copy.Stack(new copy.App(), "Stack");
}

function warningsOf(stack: cdk.Stack): readonly unknown[] {
  warnOfOtherCdk(stack);
  return stack.node.metadata.filter(({ type }) => type === "aws:cdk:warning").map(({ data }) => data);
}

describe("an app with another copy of aws-cdk-lib", () => {
  it("gets a warning that its aspects may not see the functions", () => {
    let stack: cdk.Stack | undefined;
    // aws-cdk-lib loads its classes when they are first used, so the stack is made while the copies are apart.
    jest.isolateModules(() => {
      stack = stackOf(jest.requireActual("aws-cdk-lib"));
    });
    expect(stack && warningsOf(stack)).toEqual([expect.stringContaining("another copy of aws-cdk-lib")]);
  });

  it("gets no warning with the same copy", () => {
    expect(warningsOf(stackOf(cdk))).toEqual([]);
  });
});
