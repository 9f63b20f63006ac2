import { join } from "node:path";
import type { SQSBatchResponse } from "aws-lambda";
import { CONFIG_VARIABLE } from "../../lambda/config";
import { NAMES } from "../cloud/environments";
import { deleteDelivered, invokeDeliver } from "../cloud/event-source";
import { bytesOf, evaluationPayload, flagPayload, webhookEvent } from "../cloud/events";
import type { SegmentBehaviour } from "../cloud/segment";
import { createWorld, type World } from "../faults/world";
import { BundleHost } from "../support/bundles";
import release2Config from "../support/fixtures/release-2.0.0/config.json";

/** An update and a rollback in the middle of an outage: the old and the new functions on one queue and one table. */
const BUNDLES = join(__dirname, "../support/fixtures/release-2.0.0");

type Release = "release 2" | "this release";
type Hosts = Readonly<Record<Release, { readonly receive: BundleHost; readonly deliver: BundleHost }>>;

/** The variables that release 2 had: its own configuration, at the places of this world. */
function release2Environments({ environments }: World) {
  const given = (name: "receive" | "deliver") => JSON.parse(environments[name][CONFIG_VARIABLE] ?? "");
  const { queueUrl, queueArn, deadLetterQueueUrl, segmentEndpoint, changes } = given("deliver");
  const places = { queueUrl, queueArn, deadLetterQueueUrl, segmentEndpoint, changes, writeKeyParameter: NAMES.writeKey };
  const receive = { ...release2Config.receive, queueUrl, webhookSecretParameter: NAMES.webhookSecret };
  return {
    receive: { ...environments.receive, [CONFIG_VARIABLE]: JSON.stringify(receive) },
    deliver: { ...environments.deliver, [CONFIG_VARIABLE]: JSON.stringify({ ...release2Config.deliver, ...places }) },
  };
}

/** A release's code with a release's variables. */
function startHosts(world: World, code: Release, configuration: Release = code) {
  const environments = configuration === "release 2" ? release2Environments(world) : world.environments;
  const start = (name: "receive" | "deliver") =>
    new BundleHost(code === "release 2" ? `/${join(BUNDLES, `${name}.js`).slice(1)}` : name, environments[name]);
  return { receive: start("receive"), deliver: start("deliver") };
}

let world: World;
let hosts: Hosts;
let behaviour: SegmentBehaviour;
let requests: number;

beforeEach(async () => {
  behaviour = { status: 200 };
  requests = 0;
  world = await createWorld({ name: "an update", segment: () => behaviour }, "changes", Date.now(), Math.random);
  hosts = { "release 2": startHosts(world, "release 2"), "this release": startHosts(world, "this release") };
});
afterEach(async () => {
  await Promise.all(Object.values(hosts).flatMap(({ receive, deliver }) => [receive.stop(), deliver.stop()]));
  await world.stop();
});

/** An evaluation in which flag `plan` has this value. The emoji is one of the characters that release 2 escapes. */
async function evaluate(release: Release, plan: string): Promise<void> {
  const body = bytesOf(evaluationPayload({ flags: [flagPayload({ name: "plan", value: `${plan} 🚩` })] }));
  const event = webhookEvent({ body, requestId: `request-${requests++}`, at: world.clock.now });
  expect(await hosts[release].receive.invoke(event)).toMatchObject({ statusCode: 202 });
}

/** Delivers what there is, once. */
async function deliver(release: Release): Promise<void> {
  world.clock.now = Math.max(world.clock.now, world.queue.nextVisibleAt ?? 0);
  for (;;) {
    const messages = world.queue.receive(10);
    if (messages.length === 0) return;
    const handler = (event: unknown, { awsRequestId }: { readonly awsRequestId: string }) =>
      hosts[release].deliver.invoke<SQSBatchResponse>(event, { awsRequestId });
    const failed = await invokeDeliver(handler, messages, { requestId: "invocation", timeLeftMs: () => 60_000 });
    deleteDelivered(world.queue, messages, failed);
  }
}

const plans = () => world.segmentCalls.map(({ traits }) => String(traits.plan).replace(" 🚩", ""));

it.each<[Release, Release]>([
  ["release 2", "this release"],
  ["this release", "release 2"],
])("after a change from %s to %s during an outage, each evaluation arrives, in order", async (from, to) => {
  await evaluate(from, "a");
  await deliver(from);
  behaviour = { status: 503 };
  await evaluate(from, "b");
  await deliver(from);
  await evaluate(from, "c");
  await evaluate(to, "d");
  behaviour = { status: 200 };
  for (let i = 0; i < 3; i++) await deliver(to);
  expect(plans()).toEqual(["a", "b", "c", "d"]);
  expect([world.queue.size, world.deadLetters.size]).toEqual([0, 0]);
});

it("a record of release 2 counts as another source, so its traits are sent once more", async () => {
  await evaluate("release 2", "a");
  await deliver("release 2");
  await evaluate("release 2", "a");
  await deliver("release 2");
  expect(plans()).toEqual(["a"]);
  for (let i = 0; i < 2; i++) {
    await evaluate("this release", "a");
    await deliver("this release");
  }
  expect(plans()).toEqual(["a", "a"]);
});

it.each<[Release, Release]>([
  ["release 2", "this release"],
  ["this release", "release 2"],
])("in the middle of an update, the code of %s works with the configuration of %s", async (code, configuration) => {
  await Promise.all(Object.values(hosts[code]).map((host) => host.stop()));
  hosts = { ...hosts, [code]: startHosts(world, code, configuration) };
  await evaluate(code, "a");
  await deliver(code);
  expect(plans()).toEqual(["a"]);
});
