import { faultsMet } from "./faults";
import { testRows } from "./rows";

// Rows of hours, in a file of their own: jest runs files side by side.
testRows(
  "every",
  faultsMet("every").filter(({ events }) => events !== undefined),
);
