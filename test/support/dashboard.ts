import type { Template } from "aws-cdk-lib/assertions";

/** A widget as CloudWatch places it, on a grid of 24 columns. */
export interface Widget {
  readonly title: string;
  readonly lines: readonly string[];
  readonly kind: "text" | "metric";
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The widgets of the template's only dashboard. */
export function dashboardOf(template: Template): readonly Widget[] {
  const [dashboard] = Object.values(template.findResources("AWS::CloudWatch::Dashboard"));
  const body: unknown = dashboard?.Properties.DashboardBody;
  // References are not needed for a picture.
  const parts: readonly unknown[] = Object(body)["Fn::Join"]?.[1] ?? [body];
  const { widgets } = JSON.parse(parts.map((part) => (typeof part === "string" ? part : "ref")).join(""));
  return widgets.map(toWidget);
}

function toWidget(widget: {
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: {
    readonly markdown?: string;
    readonly title?: string;
    readonly metrics?: readonly (readonly unknown[])[];
  };
}): Widget {
  const { type, x, y, width, height, properties } = widget;
  if (type === "text") {
    const [heading = "", ...lines] = String(properties.markdown).split("\n");
    const plain = lines.map((line) => line.replace(/\[(.+)\]\(.+\)/, "$1"));
    return { title: heading.replace(/^#+ /, ""), lines: plain, kind: "text", x, y, width, height };
  }
  const metrics: readonly (readonly unknown[])[] = properties.metrics ?? [];
  const labels = metrics.flatMap((metric) => {
    const options = Object(metric.at(-1));
    if (options.visible === false) return [];
    return [String(options.label ?? (typeof metric[1] === "string" ? metric[1] : ""))];
  });
  return { title: String(properties.title), lines: labels, kind: "metric", x, y, width, height };
}

const COLUMN = 44;
const ROW = 34;

/** An SVG of the layout: titles and labels, no numbers. */
export function renderDashboard(widgets: readonly Widget[]): string {
  const height = Math.max(...widgets.map((widget) => widget.y + widget.height)) * ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${24 * COLUMN} ${height}" font-family="sans-serif" font-size="13">`,
    "<title>The dashboard of a stack</title>",
    `<rect width="100%" height="100%" fill="#f2f3f3"/>`,
    ...widgets.map(renderWidget),
    "</svg>",
    "",
  ].join("\n");
}

function renderWidget({ title, lines, kind, x, y, width, height }: Widget): string {
  const [left, top] = [x * COLUMN, y * ROW];
  const text = (line: string, index: number, style: string) =>
    `<text x="${left + 12}" y="${top + 22 + index * 20}" ${style}>${escaped(line)}</text>`;
  const box = `<rect x="${left + 3}" y="${top + 3}" width="${width * COLUMN - 6}" height="${height * ROW - 6}" rx="4" fill="#fff" stroke="#aab7b8"/>`;
  return [
    kind === "metric" || lines.length > 0 ? box : "",
    text(title, 0, `font-weight="bold" fill="#16191f"`),
    ...lines.map((line, index) => text(kind === "metric" ? `— ${line}` : line, index + 1, `fill="#0073bb"`)),
  ]
    .filter((part) => part !== "")
    .join("");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
