import { Parameter } from "../../lambda/adapters/parameter";
import { AwsCallError, type ParameterError } from "../../lambda/errors";
import { PLACEHOLDERS } from "../../lambda/names";
import { NOON } from "../cloud/events";
import { machine } from "../support/machine";

const TTL = 1_000;
const REFRESH = 100;
const STALE = 50;
/** 10 ms less 20 %. */
const FAILURE = 8;
const timing = { parameterTtlMs: TTL, parameterStaleMs: STALE, parameterFailureMs: 10 };
const NAME = "/flagsmith-to-segment/test/webhook-secret";

/** A parameter over an SSM that gives one answer per call, the last one again and again. */
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
    ...machine({ now: () => clock.now, random: () => 0, timing }),
    refreshIntervalMs: REFRESH,
    onStale: (error) => stale.push(error),
    placeholder: PLACEHOLDERS.webhookSecret,
    region: "eu-west-1",
    keyId: "arn:key",
  });
  return { parameter, calls, clock, stale };
}

const throttled = new AwsCallError("ssm:GetParameter", "ThrottlingException", true);
const invalid = new AwsCallError("ssm:GetParameter", "ValidationException", false);
const denied = new AwsCallError("ssm:GetParameter", "AccessDeniedException", false);
const deleted = new AwsCallError("ssm:GetParameter", "ParameterNotFound", false);
const holding = (value: string) => ({ Parameter: { Value: value } });

describe("a parameter", () => {
  it("is read decrypted from SSM, and may hold several secrets, one per line, with blanks around them", async () => {
    const { parameter, calls } = store(holding(" old \r\n\nnew\n"));
    await expect(parameter.get()).resolves.toEqual(["old", "new"]);
    expect(calls).toEqual([["GetParameter", { Name: NAME, WithDecryption: true }, undefined]]);
  });

  it("is read again after its time-to-live", async () => {
    const { parameter, calls, clock } = store(holding("old"), holding("new"));
    await parameter.get();
    clock.now += TTL - 1;
    await expect(parameter.get()).resolves.toEqual(["old"]);
    clock.now += 1;
    await expect(parameter.get()).resolves.toEqual(["new"]);
    expect(calls).toHaveLength(2);
  });

  it("does not use up the caller's time if its last value can be used instead", async () => {
    const { parameter, calls, clock } = store(throttled, holding("old"), throttled);
    await expect(parameter.get(NOON + 6_000)).rejects.toThrow();
    clock.now += FAILURE;
    await parameter.get(NOON + 6_000);
    clock.now += TTL;
    await expect(parameter.get(NOON + 6_000)).resolves.toEqual(["old"]);
    expect(calls.map(([, , deadline]) => deadline)).toEqual([NOON + 6_000, NOON + 6_000, undefined]);
  });

  it("is not read again immediately after a failure, because strangers must not use up SSM's quota", async () => {
    const { parameter, calls, clock } = store(throttled, holding("s"));
    await expect(parameter.get()).rejects.toMatchObject({ code: "parameter-unreadable" });
    clock.now += FAILURE - 1;
    for (let i = 0; i < 300; i++) await expect(parameter.get()).rejects.toMatchObject({ code: "parameter-unreadable" });
    expect(calls).toHaveLength(1);
    clock.now += 1;
    await expect(parameter.get()).resolves.toEqual(["s"]);
  });

  it("is refreshed at most once per refresh interval", async () => {
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

  it("is read once for ten requests at the same time, and for ten refreshes, which all get the new value", async () => {
    const { parameter, calls } = store(holding("old"), holding("new"));
    await Promise.all(Array.from({ length: 10 }, () => parameter.get()));
    expect(calls).toHaveLength(1);
    const refreshes = Array.from({ length: 10 }, () => parameter.refresh());
    await expect(Promise.all(refreshes)).resolves.toEqual(Array(10).fill(["new"]));
    expect(calls).toHaveLength(2);
  });

  it.each<[string, unknown, string, string]>([
    ["SSM throttles", throttled, "parameter-unreadable", "aws"],
    ["SSM refuses", denied, "parameter-unreadable", "operator"],
    ["it was set to a placeholder", holding("<the secret set in Flagsmith>\n"), "parameter-placeholder", "operator"],
  ])("keeps its last value while %s, reports that, and is read again later", async (_, failure, code, actor) => {
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
    ["was deleted", deleted],
    ["was emptied", holding("")],
  ])("does not keep its last value if it %s", async (_, answer) => {
    const { parameter, clock } = store(holding("old"), answer);
    await parameter.get();
    clock.now += TTL;
    await expect(parameter.get()).rejects.toMatchObject({ actor: "operator" });
    clock.now += FAILURE;
    await expect(parameter.get()).rejects.toMatchObject({ actor: "operator" });
  });

  it("has no secret from a placeholder of the documentation, but those beside it", async () => {
    const { parameter } = store(holding("<the write key>\nreal\n<the secret set in Flagsmith>"));
    await expect(parameter.get()).resolves.toEqual(["real"]);
    await expect(store(holding("<another text>")).parameter.get()).resolves.toEqual(["<another text>"]);
  });

  const create = `aws ssm put-parameter --region eu-west-1 --name ${NAME} --type SecureString --key-id arn:key --value '<the secret set in Flagsmith>'`;

  const right = expect.stringMatching(/^If the stack was deployed .*, wait\. .*right/);
  const check = expect.stringMatching(/^check what the reason names: /);
  const wait = expect.stringMatching(/^wait; .*high-throughput/);

  it.each<[string, unknown, string, string, string]>([
    ["missing", deleted, "parameter-missing", "operator", create],
    ["blank", holding(" \n"), "parameter-empty", "operator", `${create} --overwrite`],
    ["a placeholder", holding("<the write key>"), "parameter-placeholder", "operator", `${create} --overwrite`],
    ["without value", {}, "parameter-unreadable", "operator", check],
    ["refused", denied, "parameter-unreadable", "operator", right],
    ["not allowed to be read for another cause", invalid, "parameter-unreadable", "operator", check],
    ["throttled", throttled, "parameter-unreadable", "aws", wait],
  ])("has an error with its name, who must act and what fixes it, if it is %s", async (_, answer, code, actor, remedy) => {
    await expect(store(answer).parameter.get()).rejects.toMatchObject({ parameter: NAME, code, actor, remedy });
  });
});
