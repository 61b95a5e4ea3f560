// SPDX-License-Identifier: MIT
// The check that a network is what was asked for: what to probe, and what to conclude.

export {
  type EdgeSince,
  type LinktestEdge,
  type LinktestMap,
  type Pair,
  type Route,
  schedulePasses,
} from "./edges.ts";
export {
  expectedDelayMs,
  isDoubted,
  judgeLatency,
  judgeLoss,
  judgeRate,
  judgeRoute,
  type LatencySample,
  type LossSample,
  type RateSample,
  type Stage,
  untestable,
  type Verdict,
} from "./judge.ts";
export {
  frameBytes,
  type LinktestLimits,
  linktestLimits,
  lossPayloadBytes,
  ratePayloadBytes,
  routePings,
  tolerances,
} from "./linktest-limits.ts";
export {
  type LatencyPlan,
  type Level,
  type LinktestPlan,
  type LossProbe,
  type PassOf,
  planLinktest,
  type RateProbe,
  type StagePlan,
  type Untestable,
} from "./plan.ts";
export {
  describeLeast,
  describePlan,
  describeSince,
  formatEdge,
  formatErrorRecord,
  formatVerdict,
  nothingRouted,
} from "./report.ts";
