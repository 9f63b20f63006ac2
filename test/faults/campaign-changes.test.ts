import { faultsMet } from "./faults";
import { testRows } from "./rows";

// What the option adds is a table. The other rows with it are those of `npm run faults -- --forward changes`.
testRows(
  "changes",
  faultsMet("changes").filter(
    ({ name, events, dynamodb }) => name === "none" || (events === undefined && dynamodb !== undefined),
  ),
);
