/** What the package gives to other apps: constructs only. The app of the clone and its stack stay here. */
export { ConfigurationError } from "../lambda/errors";
export type { Options, Selection } from "../lambda/options";
export { FlagsmithToSegment, type FlagsmithToSegmentProps } from "./flagsmith-to-segment";
export type { Alarms } from "./monitoring/alarms";
export type { MetricName } from "./monitoring/metrics";
export { type AlarmOptions, Monitoring, type MonitoringProps } from "./monitoring/monitoring";
