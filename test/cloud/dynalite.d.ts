declare module "dynalite" {
  import type { Server } from "node:http";

  /** Amazon DynamoDB in memory, as an HTTP server that does not listen yet. */
  export default function dynalite(options: { readonly createTableMs: number }): Server;
}
