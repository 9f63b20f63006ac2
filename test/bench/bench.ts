import type { BenchBundles } from "./bundles";
import type { LoopbackCloud } from "./loopback-cloud";
import { median, VariantProcess } from "./process";

/** What every subject is measured with. */
export interface Bench {
  readonly node: string;
  readonly cloud: LoopbackCloud;
  readonly bundles: BenchBundles;
}

export type Variant = Exclude<keyof BenchBundles, "remove">;

/** Starts a variant in its own process. */
export function startVariant({ node, cloud, bundles }: Bench, variant: Variant): VariantProcess {
  return new VariantProcess(node, bundles[variant], cloud.environment);
}

/** Milliseconds of one invocation, averaged over many. */
export interface Warm {
  readonly cpu: number;
  readonly wall: number;
  readonly result: unknown;
}

/** Measured values by variant, one number per round. */
export type Samples = Readonly<Record<string, readonly number[]>>;

export function medians(samples: Samples): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(samples).map(([variant, values]) => [variant, median(values)]));
}
