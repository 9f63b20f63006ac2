import type { IncomingMessage } from "node:http";
import { isSegmentMode, SEGMENT_MODES, type SegmentMode } from "../cloud/segment";

/** What the route changes: how the embedded Segment answers. */
export interface SegmentSwitch {
  mode: SegmentMode;
}

/** Changes how the embedded Segment answers. Returns the status and the text of the answer to the request. */
export function switchSegment(
  request: IncomingMessage,
  segment: SegmentSwitch | undefined,
  mode: string | null,
): readonly [status: number, said: string] {
  if (!isOfThisMachine(request)) return [403, "only from the machine itself"];
  if (segment === undefined) return [409, "SEGMENT_ENDPOINT is set: the embedded Segment gets no calls"];
  if (!isSegmentMode(mode)) return [400, `mode: allowed is ${SEGMENT_MODES.join(", ")}`];
  segment.mode = mode;
  return [200, `Segment: ${mode}`];
}

/**
 * Returns whether a request comes from this machine itself. The address alone does not show that, because a tunnel's program calls
 * from this machine, and a web page may call it under another name. So the request's headers are checked as well.
 */
export function isOfThisMachine({ socket, headers }: IncomingMessage): boolean {
  const isLoopback = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(socket.remoteAddress ?? "");
  const isForwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host"].some((name) => headers[name] !== undefined);
  return isLoopback && !isForwarded && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(headers.host ?? "");
}
