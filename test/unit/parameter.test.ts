import { Parameter } from "../../lambda/adapters/parameter";
import { AwsCallError, type ParameterError } from "../../lambda/errors";
import { PLACEHOLDERS } from "../../lambda/names";
import { NOON } from "../cloud/events";
import { machine } from "../support/machine";

const TTL = 1_000;
const REFRESH = 100;
const STALE = 50;
const FAILURE = 10;
const NAME = "/flagsmith-to-segment/test/webhook-secret";

/** A store over an SSM that gives one answer a call, the last one for good. */
function store(...answers: readonly (unknown | Error)[]) {
  const calls: unknown[][] = [];
  const clock = { now: NOON };
  const stale: ParameterError[] = [];
  const parameter = new Parameter({
    name: NAME,
    ssm: {
      send: async (...call) => {
        calls.push(call);
        const answer = answers[Math.min(calls.length, answers.length) - 1];
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    ...machine({ now: () => clock.now, timing: { parameterTtlMs: TTL, parameterStaleMs: STALE, parameterFailureMs: FAILURE } }),
    refreshIntervalMs: REFRESH,
    onStale: (error) => stale.push(error),
    placeholder: PLACEHOLDERS.webhookSecret,
    region: "eu-west-1",
    keyId: undefined,
  });
  return { parameter, calls, clock, stale };
}

const throttled = new AwsCallError("ssm:GetParameter", "ThrottlingException", true);
const invalid = new AwsCallError("ssm:GetParameter", "ValidationException", false);
const denied = new AwsCallError("ssm:GetParameter", "AccessDeniedException", false);
const holding = (value: string) => ({ Parameter: { Value: value } });

describe("Parameter", () => {
  it("asks SSM for the decrypted value", async () => {
    const { parameter, calls } = store(holding("s"));
    await expect(parameter.get()).resolves.toEqual(["s"]);
    expect(calls).toEqual([["GetParameter", { Name: NAME, WithDecryption: true }, undefined]]);
  });

  it("gives a secret per line, without what pasting left around them", async () => {
    const { parameter } = store(holding(" old \r\n\nnew\n"));
    await expect(parameter.get()).resolves.toEqual(["old", "new"]);
  });

  it("reads once in a time-to-live", async () => {
    const { parameter, calls, clock } = store(holding("old"), holding("new"));
    await parameter.get();
    clock.now += TTL - 1;
    await expect(parameter.get()).resolves.toEqual(["old"]);
    clock.now += 1;
    await expect(parameter.get()).resolves.toEqual(["new"]);
    expect(calls).toHaveLength(2);
  });

  it("leaves the caller its time where the last value will do while SSM fails", async () => {
    const { parameter, calls, clock } = store(throttled, holding("old"), throttled);
    await expect(parameter.get(NOON + 6_000)).rejects.toThrow();
    clock.now += FAILURE;
    await parameter.get(NOON + 6_000);
    clock.now += TTL;
    await expect(parameter.get(NOON + 6_000)).resolves.toEqual(["old"]);
    expect(calls.map(([, , deadline]) => deadline)).toEqual([NOON + 6_000, NOON + 6_000, undefined]);
  });

  it("makes one call for ten at once", async () => {
    const { parameter, calls } = store(holding("s"));
    await Promise.all(Array.from({ length: 10 }, () => parameter.get()));
    expect(calls).toHaveLength(1);
  });

  it("keeps a failure for a moment: what strangers send must not use up SSM's quota", async () => {
    const { parameter, calls, clock } = store(throttled, holding("s"));
    await expect(parameter.get()).rejects.toMatchObject({ code: "parameter-unreadable" });
    clock.now += FAILURE - 1;
    for (let i = 0; i < 300; i++) await expect(parameter.get()).rejects.toMatchObject({ code: "parameter-unreadable" });
    expect(calls).toHaveLength(1);
    clock.now += 1;
    await expect(parameter.get()).resolves.toEqual(["s"]);
  });

  it("reads again what did not match, but not again within the refresh interval", async () => {
    const { parameter, calls, clock } = store(holding("old"), holding("new"), holding("newest"));
    await parameter.get();
    await expect(parameter.refresh()).resolves.toEqual(["new"]);
    clock.now += REFRESH - 1;
    await expect(parameter.refresh()).resolves.toEqual(["new"]);
    expect(calls).toHaveLength(2);
    clock.now += 1;
    await expect(parameter.refresh()).resolves.toEqual(["newest"]);
    await expect(parameter.get()).resolves.toEqual(["newest"]);
  });

  it("makes one call for ten refreshes at once, however often forgers try", async () => {
    const { parameter, calls } = store(holding("s"));
    await parameter.get();
    const refreshes = Array.from({ length: 10 }, () => parameter.refresh());
    await expect(Promise.all(refreshes)).resolves.toEqual(Array(10).fill(["s"]));
    expect(calls).toHaveLength(2);
  });

  it.each<[string, unknown, string, string]>([
    ["SSM throttles", throttled, "parameter-unreadable", "aws"],
    ["SSM refuses", denied, "parameter-unreadable", "operator"],
    ["it was set to a placeholder", holding("<the secret set in Flagsmith>\n"), "parameter-placeholder", "operator"],
  ])("keeps using a value while %s, says so, and asks again after a while", async (_, failure, code, actor) => {
    const { parameter, calls, clock, stale } = store(holding("old"), failure, holding("new"));
    await parameter.get();
    clock.now += TTL;
    await expect(parameter.get()).resolves.toEqual(["old"]);
    expect(stale).toMatchObject([{ parameter: NAME, code, actor }]);
    clock.now += STALE - 1;
    await expect(parameter.get()).resolves.toEqual(["old"]);
    expect(calls).toHaveLength(2);
    clock.now += 1;
    await expect(parameter.get()).resolves.toEqual(["new"]);
    expect(stale).toHaveLength(1);
  });

  it.each([
    ["was deleted", new AwsCallError("ssm:GetParameter", "ParameterNotFound", false)],
    ["was emptied", holding("")],
  ])("no longer uses a value that %s", async (_, answer) => {
    const { parameter, clock } = store(holding("old"), answer);
    await parameter.get();
    clock.now += TTL;
    await expect(parameter.get()).rejects.toMatchObject({ actor: "operator" });
    clock.now += FAILURE;
    await expect(parameter.get()).rejects.toMatchObject({ actor: "operator" });
  });

  it("takes no placeholder for a secret, whichever of the two, and the secrets beside it", async () => {
    const { parameter } = store(holding("<the write key>\nreal\n<the secret set in Flagsmith>"));
    await expect(parameter.get()).resolves.toEqual(["real"]);
    await expect(store(holding("<another text>")).parameter.get()).resolves.toEqual(["<another text>"]);
  });

  const create = `aws ssm put-parameter --region eu-west-1 --name ${NAME} --type SecureString --value '<the secret set in Flagsmith>'`;

  it.each<[string, unknown, string, string, string]>([
    ["missing", new AwsCallError("ssm:GetParameter", "ParameterNotFound", false), "parameter-missing", "operator", create],
    ["blank", holding(" \n"), "parameter-empty", "operator", `${create} --overwrite`],
    ["a placeholder", holding("<the write key>"), "parameter-placeholder", "operator", `${create} --overwrite`],
    ["without value", {}, "parameter-unreadable", "operator", expect.stringMatching(/^deploy the stack again/)],
    [
      "refused",
      denied,
      "parameter-unreadable",
      "operator",
      expect.stringMatching(/^If the stack was deployed .*, wait\. .*right/),
    ],
    [
      "not allowed to be read for another cause",
      invalid,
      "parameter-unreadable",
      "operator",
      expect.stringMatching(/kmsKeyArn$/),
    ],
    ["throttled", throttled, "parameter-unreadable", "aws", expect.stringMatching(/^wait; .*high-throughput/)],
  ])("names the parameter, who must act, and a remedy that fits, when it is %s", async (_, answer, code, actor, remedy) => {
    await expect(store(answer).parameter.get()).rejects.toMatchObject({ parameter: NAME, code, actor, remedy });
  });
});
