import { AwsCall } from "../../lambda/adapters/aws-call";
import { DeliveredTable } from "../../lambda/adapters/delivered-table";
import { TIMING } from "../../lambda/timing";
import { createDynamodb, createTable } from "../cloud/dynamodb";
import { CREDENTIALS, close, listen, REGION } from "../cloud/server";

/** Against an emulator that knows DynamoDB's expressions. */
const server = createDynamodb();
let dynamodb: AwsCall;
let table: DeliveredTable;

beforeAll(async () => {
  const endpoint = await listen(server);
  const timing = { ...TIMING, awsAttempt: 30_000, awsCall: 30_000 };
  dynamodb = new AwsCall(
    "dynamodb",
    { region: REGION, credentials: CREDENTIALS, endpointOf: () => endpoint },
    { now: Date.now, random: Math.random, timing },
  );
  await createTable(endpoint, "delivered", {
    AttributeDefinitions: [{ AttributeName: "identity", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "identity", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  table = new DeliveredTable(dynamodb, "delivered");
});
afterAll(() => close(server));

const traits = (value: string) => Buffer.from(value);

describe("DeliveredTable", () => {
  it("knows nothing of a person before the first write", async () => {
    await expect(table.read("stranger")).resolves.toBeUndefined();
  });

  it("reads what was written, with the sequence number to the last of its 20 digits", async () => {
    const item = { traits: traits("value--1"), sequence: 18_849_496_460_467_696_129n };
    await table.write("a", item, 1_800_000_000.5);
    await expect(table.read("a")).resolves.toEqual(item);
  });

  it("keeps what a later message wrote, and what this one wrote before", async () => {
    const later = { traits: traits("value--2"), sequence: 2n };
    await table.write("b", later, 1_800_000_000);
    await table.write("b", { traits: traits("value--1"), sequence: 1n }, 1_800_000_000);
    await table.write("b", { traits: traits("value--3"), sequence: 2n }, 1_800_000_000);
    await expect(table.read("b")).resolves.toEqual(later);
    await table.write("b", { traits: traits("value--4"), sequence: 3n }, 1_800_000_000);
    await expect(table.read("b")).resolves.toMatchObject({ sequence: 3n });
  });

  it("throws what DynamoDB refuses", async () => {
    const nowhere = new DeliveredTable(dynamodb, "nowhere");
    await expect(nowhere.read("a")).rejects.toMatchObject({ code: "ResourceNotFoundException" });
    const item = { traits: traits("value--1"), sequence: 1n };
    await expect(nowhere.write("a", item, 1)).rejects.toMatchObject({ code: "ResourceNotFoundException" });
  });
});
