/** The package's exports for other apps: the constructs and their types. The clone's own app and stack are not exported. */
export { ConfigurationError } from "../lambda/errors";
export type { Options, Selection } from "../lambda/options";
export { FlagsmithToSegment, type FlagsmithToSegmentProps } from "./flagsmith-to-segment";
export type { Alarms } from "./monitoring/alarms";
export type { MetricName } from "./monitoring/metrics";
export { type AlarmOptions, Monitoring, type MonitoringProps } from "./monitoring/monitoring";
