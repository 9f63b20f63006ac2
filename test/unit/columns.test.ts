import { columnProblems } from "../../lambda/receive/columns";

describe("a trait is reported", () => {
  it.each([
    ...["user_id", "userId", "receivedAt", "sent-at", "Timestamp", "originalTimestamp", "uuid", "uuid_ts", "loadedAt", "event"],
    ...["eventText", "anonymous id"],
  ])("if its column is one of Segment's own: %s", (name) => {
    expect(columnProblems([name, "plan"])).toEqual({ reservedColumns: [name], sameColumn: [] });
  });

  it.each([
    [["darkMode", "dark_mode", "dark-mode"]],
    [["Dark mode", "dark_mode"]],
    [["HTTPServer", "http_server"]],
    [["ключЦвета", "ключ_цвета"]],
  ])("if it becomes one column with another: %j", (names) => {
    expect(columnProblems([...names, "plan"])).toEqual({ reservedColumns: [], sameColumn: names });
  });

  it.each(["users", "event_name", "id2", "plan"])("not because its name looks like one: %s", (name) => {
    expect(columnProblems([name])).toEqual({ reservedColumns: [], sameColumn: [] });
  });
});
