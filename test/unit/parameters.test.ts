import { ParameterReader } from "../../lambda/adapters/parameters";
import { AwsCallError, type ParameterError } from "../../lambda/errors";
import { TIMING } from "../../lambda/timing";
import { NOON } from "../cloud/events";

const TTL = 1_000;
const REFRESH = 100;
const STALE = 50;
const NAME = "/flagsmith-to-segment/test/webhook-secret";

/** A store over an SSM that gives one answer a call, the last one for good. */
function store(...answers: readonly (unknown | Error)[]) {
  const calls: unknown[][] = [];
  const clock = { now: NOON };
  const stale: ParameterError[] = [];
  const parameters = new ParameterReader({
    ssm: {
      send: async (...call) => {
        calls.push(call);
        const answer = answers[Math.min(calls.length, answers.length) - 1];
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    now: () => clock.now,
    timing: { ...TIMING, parameterTtl: TTL, parameterStale: STALE },
    refreshInterval: REFRESH,
    onStale: (error) => stale.push(error),
    placeholder: "the secret",
    region: "eu-west-1",
    keyId: undefined,
  });
  return { parameters, calls, clock, stale };
}

const holding = (value: string) => ({ Parameter: { Value: value } });

describe("ParameterReader", () => {
  it("asks SSM for the decrypted value", async () => {
    const { parameters, calls } = store(holding("s"));
    await expect(parameters.get(NAME)).resolves.toEqual(["s"]);
    expect(calls).toEqual([["GetParameter", { Name: NAME, WithDecryption: true }, undefined]]);
  });

  it("gives a secret per line, without what pasting left around them", async () => {
    const { parameters } = store(holding(" old \r\n\nnew\n"));
    await expect(parameters.get(NAME)).resolves.toEqual(["old", "new"]);
  });

  it("reads once in a time-to-live", async () => {
    const { parameters, calls, clock } = store(holding("old"), holding("new"));
    await parameters.get(NAME);
    clock.now += TTL - 1;
    await expect(parameters.get(NAME)).resolves.toEqual(["old"]);
    clock.now += 1;
    await expect(parameters.get(NAME)).resolves.toEqual(["new"]);
    expect(calls).toHaveLength(2);
  });

  it("makes one call for ten at once", async () => {
    const { parameters, calls } = store(holding("s"));
    await Promise.all(Array.from({ length: 10 }, () => parameters.get(NAME)));
    expect(calls).toHaveLength(1);
  });

  it("does not keep a failure", async () => {
    const { parameters } = store(new AwsCallError("ssm:GetParameter", "ThrottlingException", true), holding("s"));
    await expect(parameters.get(NAME)).rejects.toThrow();
    await expect(parameters.get(NAME)).resolves.toEqual(["s"]);
  });

  it("reads again what did not match, but not again within the refresh interval", async () => {
    const { parameters, calls, clock } = store(holding("old"), holding("new"), holding("newest"));
    await parameters.get(NAME);
    await expect(parameters.refresh(NAME)).resolves.toEqual(["new"]);
    clock.now += REFRESH - 1;
    await expect(parameters.refresh(NAME)).resolves.toEqual(["new"]);
    expect(calls).toHaveLength(2);
    clock.now += 1;
    await expect(parameters.refresh(NAME)).resolves.toEqual(["newest"]);
    await expect(parameters.get(NAME)).resolves.toEqual(["newest"]);
  });

  it("makes one call for ten refreshes at once, however often forgers try", async () => {
    const { parameters, calls } = store(holding("s"));
    await parameters.get(NAME);
    const refreshes = Array.from({ length: 10 }, () => parameters.refresh(NAME));
    await expect(Promise.all(refreshes)).resolves.toEqual(Array(10).fill(["s"]));
    expect(calls).toHaveLength(2);
  });

  it.each([
    ["throttles", new AwsCallError("ssm:GetParameter", "ThrottlingException", true), "aws"],
    ["refuses", new AwsCallError("ssm:GetParameter", "AccessDeniedException", false), "operator"],
  ])("keeps using a value while SSM %s, says so, and asks again after a while", async (_, failure, actor) => {
    const { parameters, calls, clock, stale } = store(holding("old"), failure, holding("new"));
    await parameters.get(NAME);
    clock.now += TTL;
    await expect(parameters.get(NAME)).resolves.toEqual(["old"]);
    expect(stale).toMatchObject([{ parameter: NAME, code: "parameter-unreadable", actor }]);
    clock.now += STALE - 1;
    await expect(parameters.get(NAME)).resolves.toEqual(["old"]);
    expect(calls).toHaveLength(2);
    clock.now += 1;
    await expect(parameters.get(NAME)).resolves.toEqual(["new"]);
    expect(stale).toHaveLength(1);
  });

  it.each([
    ["was deleted", new AwsCallError("ssm:GetParameter", "ParameterNotFound", false)],
    ["was emptied", holding("")],
  ])("no longer uses a value that %s", async (_, answer) => {
    const { parameters, clock } = store(holding("old"), answer);
    await parameters.get(NAME);
    clock.now += TTL;
    await expect(parameters.get(NAME)).rejects.toMatchObject({ actor: "operator" });
    await expect(parameters.get(NAME)).rejects.toMatchObject({ actor: "operator" });
  });

  it.each([
    ["missing", new AwsCallError("ssm:GetParameter", "ParameterNotFound", false), "parameter-missing"],
    ["refused", new AwsCallError("ssm:GetParameter", "AccessDeniedException", false), "parameter-unreadable"],
    ["blank", holding(" \n"), "parameter-empty"],
    ["without value", {}, "parameter-unreadable"],
  ])("names the parameter and the command that fixes it when it is %s", async (_, answer, code) => {
    const { parameters } = store(answer);
    await expect(parameters.get(NAME)).rejects.toMatchObject({
      parameter: NAME,
      code,
      actor: "operator",
      remedy: `aws ssm put-parameter --region eu-west-1 --name ${NAME} --type SecureString --overwrite --value '<the secret>'`,
    });
  });
});
