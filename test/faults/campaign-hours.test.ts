import { faultsMet } from "./faults";
import { testRows } from "./rows";

// Rows that last for hours have their own file, because jest runs files in parallel.
testRows(
  "every",
  faultsMet("every").filter(({ events }) => events !== undefined),
);
