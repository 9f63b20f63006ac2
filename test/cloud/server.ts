import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";

export const LOOPBACK = "127.0.0.1";
export const REGION = "us-east-1";
export const ACCOUNT = "000000000000";
export const CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };

/** Starts the server on loopback and returns its URL. Port 0 = any free port. */
export async function listen(server: Server, port = 0): Promise<string> {
  server.listen(port, LOOPBACK);
  await once(server, "listening");
  return `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}

export async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  server.closeAllConnections();
  await once(server, "close");
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
