import { KeepAlive, requestHead } from "../../lambda/adapters/keep-alive";

/** Two calls over one socket, and one over another: what each came to, as JSON. In a process of its own, because trust is one's. */
async function main(): Promise<void> {
  const origin = new URL(String(process.argv[2]));
  const client = new KeepAlive({ origin, connectTimeout: 5_000, now: Date.now });
  const outcome = async () => {
    try {
      const { status, text } = await client.post(requestHead("/", ["host", origin.host]), '{"a":"ü"}', 5_000);
      return { status, text };
    } catch (error) {
      return { code: Object(error).code };
    }
  };
  const outcomes = [await outcome(), await outcome()];
  client.close();
  // The last socket is left idle: it must not keep the process from ending.
  console.log(JSON.stringify([...outcomes, await outcome()]));
}

void main();
