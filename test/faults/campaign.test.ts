import { faultsMet } from "./faults";
import { testRows } from "./rows";

testRows(
  "every",
  faultsMet("every").filter(({ events }) => events === undefined),
);
