import { name, version } from "../package.json";

/** What Segment is told the calls come from. */
export const LIBRARY = { name, version };

/** Header `user-agent` of every request: AWS WAF's core rule set refuses requests without one. */
export const USER_AGENT = `${name}/${version}`;
