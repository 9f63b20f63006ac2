import { faultsMet } from "./faults";
import { testRows } from "./rows";

// What the option adds is a table beside Segment: rows that strike between the two, or tell less than happened. The others are
// about Segment's answers and retries, which it does not touch; `npm run faults -- --forward changes` runs them all.
testRows(
  "changes",
  faultsMet("changes").filter(
    ({ name, events, dynamodb, invocation, rotation }) =>
      events === undefined && ((dynamodb ?? invocation ?? rotation) !== undefined || /^none|^reset|answer lost$/.test(name)),
  ),
);
