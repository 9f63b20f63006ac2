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
