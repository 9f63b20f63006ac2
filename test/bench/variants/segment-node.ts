import { createHmac, timingSafeEqual } from "node:crypto";
import { getParameter } from "@aws-lambda-powertools/parameters/ssm";
import { Analytics } from "@segment/analytics-node";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";

/** One function without a queue, as Segment's documentation shows it for Lambda: one client per event, which is closed before the answer. */
interface Body {
  readonly identity: string;
  readonly flags: readonly {
    readonly enabled: boolean;
    readonly feature_state_value: unknown;
    readonly feature: { readonly name: string };
  }[];
}

export async function handler(event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  const { WEBHOOK_SECRET_PARAMETER = "", WRITE_KEY_PARAMETER = "", SEGMENT_ENDPOINT = "" } = process.env;
  const [secret, writeKey] = await Promise.all(
    [WEBHOOK_SECRET_PARAMETER, WRITE_KEY_PARAMETER].map((name) => getParameter(name, { decrypt: true, maxAge: 300 })),
  );
  const signature = createHmac("sha256", secret ?? "")
    .update(event.body ?? "")
    .digest();
  const given = Buffer.from(event.headers["x-flagsmith-signature"] ?? "", "hex");
  if (given.length !== signature.length || !timingSafeEqual(given, signature)) return { statusCode: 401 };
  const { identity, flags }: Body = JSON.parse(event.body ?? "");
  const traits = Object.fromEntries(
    flags.map(({ feature, enabled, feature_state_value: value }) => [
      feature.name,
      enabled && value !== null ? value : enabled,
    ]),
  );
  const analytics = new Analytics({ writeKey: writeKey ?? "", host: SEGMENT_ENDPOINT });
  let failure: unknown;
  analytics.on("error", (error) => {
    failure = error;
  });
  analytics.identify({ userId: identity, traits });
  await analytics.closeAndFlush();
  if (failure !== undefined) return { statusCode: 502 };
  return { statusCode: 202, body: '{"status":"accepted"}' };
}
