import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LOOPBACK } from "../cloud/server";

/** Starts the server and returns its URL on loopback, which works for every allowed `host`. Port 0 = any free port. */
export async function listenAt(server: Server, port: number, host: string): Promise<string> {
  server.listen(port, host);
  await once(server, "listening");
  return `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}
