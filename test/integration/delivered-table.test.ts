import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import dynalite from "dynalite";
import { AwsJson } from "../../lambda/adapters/aws-json";
import { DeliveredTable } from "../../lambda/adapters/delivered-table";
import type { Delivered } from "../../lambda/domain/changes";

/** Against an emulator that knows DynamoDB's expressions. */
let server: Server;
let dynamodb: AwsJson;
let table: DeliveredTable;

beforeAll(async () => {
  server = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  dynamodb = new AwsJson({
    service: "dynamodb",
    region: "us-east-1",
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    attemptTimeout: 10_000,
    attempts: 1,
    pause: 0,
    now: Date.now,
  });
  await dynamodb.call("CreateTable", {
    TableName: "delivered",
    AttributeDefinitions: [{ AttributeName: "identity", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "identity", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  table = new DeliveredTable(dynamodb, "delivered");
});
afterAll(async () => {
  dynamodb.close();
  await new Promise((resolve) => server.close(resolve));
});

const delivered = (value: string): Delivered => new Map([["namehash", { value, at: 1_800_000_000 }]]);

describe("DeliveredTable", () => {
  it("knows nothing of a person before the first write", async () => {
    await expect(table.read("stranger")).resolves.toBeUndefined();
  });

  it("reads what was written, with the sequence number to the last of its 20 digits", async () => {
    const item = { delivered: delivered("value--1"), sequence: 18_849_496_460_467_696_129n };
    await table.write("a", item, 1_800_000_000.5);
    await expect(table.read("a")).resolves.toEqual(item);
  });

  it("keeps what a later message wrote, and what this one wrote before", async () => {
    const later = { delivered: delivered("value--2"), sequence: 2n };
    await table.write("b", later, 1_800_000_000);
    await table.write("b", { delivered: delivered("value--1"), sequence: 1n }, 1_800_000_000);
    await table.write("b", { delivered: delivered("value--3"), sequence: 2n }, 1_800_000_000);
    await expect(table.read("b")).resolves.toEqual(later);
    await table.write("b", { delivered: delivered("value--4"), sequence: 3n }, 1_800_000_000);
    await expect(table.read("b")).resolves.toMatchObject({ sequence: 3n });
  });

  it("throws what DynamoDB refuses", async () => {
    const nowhere = new DeliveredTable(dynamodb, "nowhere");
    await expect(nowhere.read("a")).rejects.toMatchObject({ code: "ResourceNotFoundException" });
    const item = { delivered: delivered("value--1"), sequence: 1n };
    await expect(nowhere.write("a", item, 1)).rejects.toMatchObject({ code: "ResourceNotFoundException" });
  });
});
