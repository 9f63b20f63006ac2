import { rmSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle";

/** Makes the package's `dist/` again, but for what `tsc` writes after this. */
rmSync(join(__dirname, "../dist"), { recursive: true, force: true });
bundle("receive");
bundle("deliver");
