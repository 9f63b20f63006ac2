import { name, version } from "../package.json";

/** Names this library to Segment as the source of the calls. */
export const LIBRARY = { name, version };

/** Header `user-agent` of every request. AWS WAF's core rule set refuses requests without it. */
export const USER_AGENT = `${name}/${version}`;
