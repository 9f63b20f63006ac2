import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fixOf, networkMeaning } from "../../infra/cli/articles";

const ENDPOINT = "https://segment.example.com";
const RUNBOOK = readFileSync(join(__dirname, "../../infra/RUNBOOK.md"), "utf8");
const OVERWRITE = "aws ssm put-parameter --name /p --value '<the write key>' --overwrite";

describe("the fix of a failure", () => {
  it.each([
    ["slow-down", "Segment's limits"],
    ["endpoint-refused", "Endpoint refused"],
    ["server-error", "Calls fail for long"],
    ["no-answer", "Calls fail for long"],
    ["write-key-refused", "Write key refused"],
    ["table-failed", "DynamoDB fails"],
    ["not-attempted", "Calls fail for long"],
    ["parameter-missing", "Calls fail for long"],
    ["parameter-placeholder", "Placeholder secret"],
    ["internal", "Deliver fails"],
    ["unknown-version", "Dead letters"],
  ])("with code %s is in an article of the runbook: %s", (code, article) => {
    expect(fixOf({ event: "retrying", code }, ENDPOINT)).toMatch(new RegExp(`infra/RUNBOOK\\.md, ${article}$`));
    expect(RUNBOOK).toMatch(new RegExp(`^##+ ${article}$`, "m"));
  });

  it("is in the article about dead letters for one, whatever its code", () => {
    expect(fixOf({ event: "dead-lettered", code: "endpoint-refused" }, ENDPOINT)).toBe("infra/RUNBOOK.md, Dead letters");
  });

  it.each([
    ["parameter-placeholder", true],
    ["parameter-empty", true],
    ["write-key-refused", false],
    ["endpoint-refused", false],
    ["parameter-unreadable", false],
  ])("with code %s replaces a parameter: %s", (code, replaces) => {
    expect(fixOf({ event: "retrying", code, remedy: OVERWRITE }, ENDPOINT).includes("--overwrite")).toBe(replaces);
  });

  it("begins with a remedy that replaces nothing", () => {
    const fix = fixOf({ event: "retrying", code: "table-failed", remedy: "If the stack was deployed, wait." }, ENDPOINT);
    expect(fix).toBe("If the stack was deployed, wait.; infra/RUNBOOK.md, DynamoDB fails");
  });

  it("without an answer asks for the endpoint first, and for Segment's status after it", () => {
    const fix = fixOf({ event: "retrying", code: "no-answer", reason: "ECONNREFUSED" }, ENDPOINT);
    expect(fix).toMatch(/^is option segmentEndpoint right \(https:\/\/segment\.example\.com\)\? .*status\.segment\.com; infra/);
  });
});

describe("an error of the network", () => {
  it.each([
    ["ECONNREFUSED", "refuses connections: nothing listens there"],
    ["ENOTFOUND", "is not known to DNS"],
    ["EAI_AGAIN", "was not looked up, because DNS did not answer"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "has no certificate that fits, or does not speak TLS"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "has no certificate that fits, or does not speak TLS"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "has no certificate that fits, or does not speak TLS"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "has no certificate that fits, or does not speak TLS"],
    ["not-http", "answers, but not in HTTP"],
    ["connect-timeout", "does not answer in time"],
    ["timeout", "does not answer in time"],
    ["ETIMEDOUT", "does not answer in time"],
    ["EHOSTUNREACH", "can't be reached over the network"],
    ["ENETUNREACH", "can't be reached over the network"],
  ])("is said in words, with the endpoint: %s", (reason, meaning) => {
    expect(networkMeaning({ code: "no-answer", reason }, ENDPOINT)).toBe(`${ENDPOINT} ${meaning}`);
  });

  it("is not made up for an answer, or for a name that is not known", () => {
    expect(networkMeaning({ code: "server-error", reason: "status 503" }, ENDPOINT)).toBeUndefined();
    expect(networkMeaning({ code: "no-answer", reason: "network" }, ENDPOINT)).toBeUndefined();
  });
});
