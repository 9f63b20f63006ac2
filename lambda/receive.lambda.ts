import { composeReceive } from "./wiring";

export const handler = composeReceive(process.env);
