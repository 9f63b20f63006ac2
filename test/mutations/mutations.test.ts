import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MUTATIONS } from "./mutations";

it("each rule of the mutation table is in its file exactly once", () => {
  const times = ({ file, find }: (typeof MUTATIONS)[number]) =>
    readFileSync(join(__dirname, "../..", file), "utf8").split(find).length - 1;
  expect(MUTATIONS.filter((mutation) => times(mutation) !== 1)).toEqual([]);
});
