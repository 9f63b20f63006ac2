import { faultsMet } from "./faults";
import { testRows } from "./rows";

// Rows of hours, with events of their own, are about retries, which the option does not touch.
testRows(
  "changes",
  faultsMet("changes").filter(({ events }) => events === undefined),
);
