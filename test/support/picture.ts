import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { dashboardOf, renderDashboard } from "./dashboard";
import { templateOf } from "./synth";

writeFileSync(join(__dirname, "dashboard.svg"), renderDashboard(dashboardOf(templateOf())));
