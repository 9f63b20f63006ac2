import type { IncomingMessage } from "node:http";
import { isSegmentMode, SEGMENT_MODES, type SegmentMode } from "../cloud/segment";

/** How the embedded Segment answers, for as long as it is the one that gets the calls. */
export interface SegmentSwitch {
  mode: SegmentMode;
}

/** The status and the text of the answer. */
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
 * By its address and, because a tunnel's program calls from this machine and a web page may call it under another name, by what it
 * says about itself.
 */
export function isOfThisMachine({ socket, headers }: IncomingMessage): boolean {
  const isLoopback = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(socket.remoteAddress ?? "");
  const isForwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host"].some((name) => headers[name] !== undefined);
  return isLoopback && !isForwarded && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(headers.host ?? "");
}
