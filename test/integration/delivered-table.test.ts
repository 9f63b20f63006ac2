import { AwsCall } from "../../lambda/adapters/aws-call";
import { type DeliveredRecord, DeliveredTable } from "../../lambda/adapters/delivered-table";
import { createDynamodb, createTable } from "../cloud/dynamodb";
import { CREDENTIALS, close, listen, REGION } from "../cloud/server";
import { realMachine } from "../support/machine";

/** Against an emulator that knows DynamoDB's expressions. */
const server = createDynamodb();
let dynamodb: AwsCall;
let table: DeliveredTable;

beforeAll(async () => {
  const endpoint = await listen(server);
  dynamodb = new AwsCall(
    "dynamodb",
    { region: REGION, credentials: CREDENTIALS, endpointOf: () => endpoint },
    realMachine({ awsAttemptMs: 30_000, awsCallMs: 30_000 }),
  );
  await createTable(endpoint, "delivered", {
    AttributeDefinitions: [{ AttributeName: "identity", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "identity", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  table = new DeliveredTable(dynamodb, "delivered");
});
afterAll(() => close(server));

const record = (sequence: bigint, value: string, fingerprints = 1): DeliveredRecord => ({
  sequence,
  source: "source--",
  fingerprints: new Map(
    Array.from({ length: fingerprints }, (_, index) => [`n${1_000_000 + index}`, { value, acceptedAtSeconds: 1_800_000_000 }]),
  ),
});

describe("the table", () => {
  it("has no record of a user before the first write", async () => {
    await expect(table.read("stranger")).resolves.toBeUndefined();
  });

  it.each([0, 1, 1_000])(
    "reads a record of %d fingerprints as it was written, with all 20 digits of its sequence",
    async (count) => {
      const written = record(18_849_496_460_467_696_129n, "value--1", count);
      await table.write(`user-${count}`, written, 1_800_000_000);
      await expect(table.read(`user-${count}`)).resolves.toEqual(written);
    },
  );

  it("writes the time from which DynamoDB may delete the record, in whole seconds", async () => {
    await table.write("a", record(1n, "value--1"), 1_800_000_000.5);
    const key = { TableName: "delivered", Key: { identity: { S: "a" } }, ConsistentRead: true };
    expect(await dynamodb.send("GetItem", key)).toMatchObject({ Item: { expiresAt: { N: "1800000001" } } });
  });

  it("replaces a record with the same or an earlier sequence, and refuses to replace a later one", async () => {
    await table.write("b", record(2n, "value--1"), 1_800_000_000);
    await table.write("b", record(2n, "value--2"), 1_800_000_000);
    await expect(table.write("b", record(1n, "value--3"), 1_800_000_000)).rejects.toMatchObject({
      code: "table-failed",
      actor: "aws",
    });
    await expect(table.read("b")).resolves.toEqual(record(2n, "value--2"));
    await table.write("b", record(3n, "value--4"), 1_800_000_000);
    await expect(table.read("b")).resolves.toEqual(record(3n, "value--4"));
  });

  it("leaves fingerprints out rather than exceed an item's size", async () => {
    await table.write("c", record(1n, "value--1", 30_000), 1_800_000_000);
    expect((await table.read("c"))?.fingerprints.size).toBe(14_999);
  });

  it("fails with DynamoDB's error, and says that the operator must act", async () => {
    const nowhere = new DeliveredTable(dynamodb, "nowhere");
    const failure = { code: "table-failed", actor: "operator", cause: { code: "ResourceNotFoundException" } };
    await expect(nowhere.read("a")).rejects.toMatchObject(failure);
    await expect(nowhere.write("a", record(1n, "value--1"), 1)).rejects.toMatchObject(failure);
  });
});
