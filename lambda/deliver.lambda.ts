import { composeDeliver } from "./wiring";

export const handler = composeDeliver(process.env);
