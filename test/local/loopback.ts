import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

export const REGION = "us-east-1";
export const CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };
export const LOOPBACK = "127.0.0.1";

/** Its URL; it is closed with what else was started. 0 = any port. */
export async function listen(server: Server, started: (() => Promise<unknown>)[], port = 0): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, resolve);
  });
  started.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}
