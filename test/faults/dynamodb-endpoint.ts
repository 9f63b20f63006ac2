import { createServer, type Server } from "node:http";
import { bodyOf } from "../local/parameter-store";

/** `lost-answer`: DynamoDB did it, the answer never comes. */
export type DynamoBehaviour = "throttled" | "lost-answer" | "hanging" | undefined;

interface Item {
  readonly identity: { readonly S: string };
  readonly sequence: { readonly N: string };
}

/** GetItem, and PutItem under the one condition that deliver uses. The emulator of the local cloud proves that condition. */
export function createDynamodbEndpoint(behave: () => DynamoBehaviour): Server {
  const items = new Map<string, Item>();
  return createServer(async (request, response) => {
    const { Key, Item: item } = JSON.parse((await bodyOf(request)).toString());
    const answer = (status: number, body: object) => response.writeHead(status).end(JSON.stringify(body));
    const behaviour = behave();
    if (behaviour === "throttled") return void answer(400, { __type: "ThrottlingException" });
    if (behaviour === "hanging") return;
    if (item === undefined) {
      const found = items.get(Key.identity.S);
      if (behaviour === undefined) answer(200, found === undefined ? {} : { Item: found });
      return;
    }
    const last = items.get(item.identity.S);
    const stored = last === undefined || BigInt(last.sequence.N) < BigInt(item.sequence.N);
    if (stored) items.set(item.identity.S, item);
    if (behaviour === "lost-answer") return;
    if (stored) answer(200, {});
    else answer(400, { __type: "ConditionalCheckFailedException" });
  });
}
