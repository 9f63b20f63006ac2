import { ENV, OPTIONS } from "../../lambda/contract";
import { type Deployment, referenceOf } from "./deployment";
import { CREDENTIALS, REGION } from "./loopback";
import type { LocalQueue } from "./resources";

/** Both functions share this process, and so one environment: where their variables overlap, they are equal. */
export function setEnvironment(
  deployment: Deployment,
  queues: ReadonlyMap<string, LocalQueue>,
  endpoints: {
    readonly ssmEndpoint: string;
    readonly sqsEndpoint: string;
    readonly dynamodbEndpoint: string | undefined;
  },
): void {
  for (const variable of [...Object.values(ENV), ...Object.values(OPTIONS).flatMap(({ env }) => env ?? [])]) {
    delete process.env[variable];
  }
  for (const { environment } of deployment.functions) {
    for (const [variable, value] of Object.entries(environment)) {
      const referred = referenceOf(value) ?? "";
      process.env[variable] =
        typeof value === "string" ? value : (queues.get(referred)?.url ?? tableOf(deployment, referred));
    }
  }
  process.env.AWS_REGION = REGION;
  process.env.AWS_ACCESS_KEY_ID = CREDENTIALS.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = CREDENTIALS.secretAccessKey;
  delete process.env.AWS_SESSION_TOKEN;
  process.env.AWS_ENDPOINT_URL_SSM = endpoints.ssmEndpoint;
  process.env.AWS_ENDPOINT_URL_SQS = endpoints.sqsEndpoint;
  if (endpoints.dynamodbEndpoint !== undefined) {
    process.env.AWS_ENDPOINT_URL_DYNAMODB = endpoints.dynamodbEndpoint;
  }
}

function tableOf({ tables }: Deployment, logicalId: string): string {
  if (!tables.some((table) => table.logicalId === logicalId)) {
    throw new Error(`the template has no queue and no table ${logicalId}`);
  }
  return logicalId;
}
