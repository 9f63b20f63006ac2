import { RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import { AccessLogField, AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { ResolvedOptions } from "../lambda/options";

/** `POST /webhook`, throttled, with an access log. */
export function addWebhookApi(scope: Construct, receive: LambdaFunction, options: ResolvedOptions): HttpApi {
  const api = new HttpApi(scope, "Api", { apiName: Stack.of(scope).stackName, createDefaultStage: false });
  const [route] = api.addRoutes({
    path: "/webhook",
    methods: [HttpMethod.POST],
    integration: new HttpLambdaIntegration("ReceiveIntegration", receive),
  });
  if (route !== undefined) {
    Validations.of(route).acknowledge({
      id: "AwsSolutions-APIG4",
      reason:
        "Flagsmith authenticates by an HMAC over the body, which no API Gateway authorizer sees; receive verifies it first.",
    });
  }
  const accessLogs = new LogGroup(scope, "AccessLogs", {
    retention: options.logRetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const { rateLimit = 1_000, burstLimit = 2_000 } = options.throttle;
  new HttpStage(scope, "Stage", {
    httpApi: api,
    stageName: "$default",
    autoDeploy: true,
    throttle: { rateLimit, burstLimit },
    accessLogSettings: {
      destination: new LogGroupLogDestination(accessLogs),
      format: AccessLogFormat.custom(
        JSON.stringify({
          apiRequestId: AccessLogField.contextRequestId(),
          time: AccessLogField.contextRequestTime(),
          sourceIp: AccessLogField.contextIdentitySourceIp(),
          userAgent: AccessLogField.contextIdentityUserAgent(),
          route: "$context.routeKey",
          status: AccessLogField.contextStatus(),
          responseLatency: AccessLogField.contextResponseLatency(),
          integrationError: AccessLogField.contextIntegrationErrorMessage(),
        }),
      ),
    },
  });
  return api;
}
