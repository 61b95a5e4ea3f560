// SPDX-License-Identifier: MIT
// Goal: how late links were is a figure of each experiment that is up, and there is none of one
// whose links nobody of ours shapes. Method: the shipped families on a page.
import { expect, test } from "vitest";
import { Metrics } from "../../../src/edges/http/metrics.ts";
import type { ShaperHealth } from "../../../src/network/link-report.ts";
import { addLinkMetrics } from "../../../src/testbed/link-metrics.ts";

test("each experiment has a row, as it is when the page is asked for", () => {
  const health: ShaperHealth = {
    ...{ packets: 900, lagMaxUs: 2_500, lagMaxAtUs: 7, lagRecentUs: 400 },
    ...{ late: 3, dropped: 2, priority: "usual" },
  };
  let up: readonly string[] = [];
  const metrics = new Metrics();
  addLinkMetrics(metrics, () => up.map((experiment) => ({ experiment, health })));
  const rows = (): string[] => metrics.format().match(/^muster_link.*$/gm) ?? [];
  expect(rows()).toEqual([]);
  up = ["p/one"];
  expect(rows()).toEqual([
    'muster_link_lag_seconds{experiment="p/one"} 0.0004',
    'muster_link_lag_max_seconds{experiment="p/one"} 0.0025',
    'muster_link_late_packets_total{experiment="p/one"} 3',
    'muster_link_packets_total{experiment="p/one"} 900',
    'muster_link_lost_packets_total{experiment="p/one"} 2',
  ]);
});
