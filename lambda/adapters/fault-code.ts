import { isJsonObject } from "../domain/json";
import { IncompleteAnswerError } from "./http-answer";

/** A short, safe name for what went wrong on the way: `ECONNREFUSED`, `HTTP_PROTOCOL`, `timeout`. */
export function faultCode(error: unknown): string {
  if (error instanceof IncompleteAnswerError) return faultCode(error.cause);
  if (!isJsonObject(error)) return "network";
  const { code, name } = error;
  if (name === "TimeoutError") return "timeout";
  return typeof code === "string" ? code : "network";
}
