import { faultsMet } from "./faults";
import { testRows } from "./rows";

// The option adds only a table, so these are its rows. `npm run faults -- --forward changes` runs all rows with the option.
testRows(
  "changes",
  faultsMet("changes").filter(
    ({ name, events, dynamodb }) => name === "none" || (events === undefined && dynamodb !== undefined),
  ),
);
