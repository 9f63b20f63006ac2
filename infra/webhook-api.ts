import { RemovalPolicy } from "aws-cdk-lib";
import { AccessLogField, AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { ResolvedOptions } from "../lambda/options";
import { pipelineName } from "./name";

/** Fields of the access log, whose lines CloudWatch dates. `integrationStatus` is "-" where API Gateway answered by itself. */
const ACCESS_LOG = {
  apiRequestId: AccessLogField.contextRequestId(),
  sourceIp: AccessLogField.contextIdentitySourceIp(),
  userAgent: AccessLogField.contextIdentityUserAgent(),
  status: AccessLogField.contextStatus(),
  integrationStatus: AccessLogField.contextIntegrationStatus(),
  responseLatency: AccessLogField.contextResponseLatency(),
  integrationError: AccessLogField.contextIntegrationErrorMessage(),
};

/** `POST /webhook`, throttled, with an access log. */
export function addWebhookApi(scope: Construct, receive: LambdaFunction, options: ResolvedOptions) {
  const name = pipelineName(scope);
  const api = new HttpApi(scope, "Api", { apiName: name, createDefaultStage: false });
  const integration = new HttpLambdaIntegration("ReceiveIntegration", receive);
  api.addRoutes({ path: "/webhook", methods: [HttpMethod.POST], integration });
  const accessLogs = new LogGroup(scope, "AccessLogs", {
    // With this prefix AWS's own permission counts: an account's resource policy may be full, and then the stage can't be created.
    // Ids of constructs may have any characters, names of log groups not.
    logGroupName: `/aws/vendedlogs/flagsmith-to-segment/${name.replace(/[^\w.\-/#]/g, "_")}`,
    retention: options.logRetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const { rateLimit = 0, burstLimit = 0 } = options.throttle;
  new HttpStage(scope, "Stage", {
    httpApi: api,
    stageName: "$default",
    autoDeploy: true,
    throttle: { rateLimit, burstLimit },
    accessLogSettings: {
      destination: new LogGroupLogDestination(accessLogs),
      format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
    },
  });
  return { api, accessLogs };
}
