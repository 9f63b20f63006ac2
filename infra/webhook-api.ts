import { RemovalPolicy } from "aws-cdk-lib";
import { AccessLogField, AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import { CfnIntegration, HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { type Alias, CfnPermission, type IFunction } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { ResolvedOptions } from "../lambda/options";
import { pipelineName } from "./name";

/**
 * Fields of the access log. There is no time, because CloudWatch adds one to each entry. `integrationStatus` is "-" if API Gateway
 * answered the request itself.
 */
const ACCESS_LOG = {
  apiRequestId: AccessLogField.contextRequestId(),
  sourceIp: AccessLogField.contextIdentitySourceIp(),
  userAgent: AccessLogField.contextIdentityUserAgent(),
  status: AccessLogField.contextStatus(),
  integrationStatus: AccessLogField.contextIntegrationStatus(),
  responseLatency: AccessLogField.contextResponseLatency(),
  integrationError: AccessLogField.contextIntegrationErrorMessage(),
};

/** Adds the API with route `POST /webhook`, throttling and an access log. */
export function addWebhookApi(scope: Construct, receive: Alias, options: ResolvedOptions, encryptionKey: IKey | undefined) {
  const name = pipelineName(scope);
  const api = new HttpApi(scope, "Api", { apiName: name, createDefaultStage: false });
  // CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
  const integration = new HttpLambdaIntegration("ReceiveIntegration", receive as IFunction);
  api.addRoutes({ path: "/webhook", methods: [HttpMethod.POST], integration });
  switchAfterPermission(api);
  const accessLogs = new LogGroup(scope, "AccessLogs", {
    // With this prefix AWS's own permission applies. Otherwise the account's resource policy for logs gets a statement, and if that
    // policy is full, the stage can't be created.
    logGroupName: `/aws/vendedlogs/flagsmith-to-segment/${name}`,
    retention: options.logRetentionDays,
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const { rateLimit = 0, burstLimit = 0 } = options.throttle;
  const stage = new HttpStage(scope, "Stage", {
    httpApi: api,
    stageName: "$default",
    autoDeploy: true,
    throttle: { rateLimit, burstLimit },
    accessLogSettings: {
      destination: new LogGroupLogDestination(accessLogs),
      format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
    },
  });
  return { api, stage, accessLogs };
}

/**
 * Lets the integration depend on the permissions. Without that, an update that moves the integration to another alias would answer
 * webhooks with 500 until API Gateway has the permission to invoke the alias.
 */
function switchAfterPermission(api: HttpApi): void {
  const parts = api.node.findAll();
  const permissions = parts.filter((part) => part instanceof CfnPermission);
  for (const part of parts) {
    if (part instanceof CfnIntegration) for (const permission of permissions) part.node.addDependency(permission);
  }
}
