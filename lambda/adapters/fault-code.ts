import { isJsonObject } from "../domain/json";

/** A short, safe name for what went wrong on the way: `ECONNREFUSED`, `UND_ERR_SOCKET`, `timeout`. */
export function faultCode(error: unknown): string {
  if (!isJsonObject(error)) return "network";
  const { code, name } = error;
  if (name === "TimeoutError") return "timeout";
  return typeof code === "string" ? code : "network";
}
