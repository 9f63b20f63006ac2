import { Validations } from "aws-cdk-lib";
import { HttpRoute } from "aws-cdk-lib/aws-apigatewayv2";
import type { FlagsmithToSegment } from "./flagsmith-to-segment";

/**
 * Acknowledges cdk-nag's findings, with the reasons. The app calls it, not the construct, because the oldest CDK release that the
 * construct supports has no `Validations`.
 */
export function acknowledgeRules(pipeline: FlagsmithToSegment): void {
  for (const route of pipeline.api.node.findAll().filter((child) => child instanceof HttpRoute)) {
    Validations.of(route).acknowledge({
      id: "AwsSolutions-APIG4",
      reason: "Flagsmith signs the body, which no API Gateway authorizer sees; receive verifies it before anything else.",
    });
  }
  if (pipeline.deliveredTable === undefined) return;
  Validations.of(pipeline.deliveredTable).acknowledge({
    id: "AwsSolutions-DDB3",
    reason: "A cache of fingerprints: what a backup would bring back is out of date, and a loss costs one repeat.",
  });
}
