import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LOOPBACK } from "../cloud/server";

/** Its URL on loopback, which belongs to every `host` that is allowed. 0 = any port. */
export async function listenAt(server: Server, port: number, host: string): Promise<string> {
  server.listen(port, host);
  await once(server, "listening");
  return `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}
