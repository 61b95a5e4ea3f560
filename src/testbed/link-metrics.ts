// SPDX-License-Identifier: MIT
// How late the delay nodes of runs are, as figures at /metrics (docs/reference/http.md): of the
// runs of a daemon, or of the one run whose door it is.
import type { MetricFamily, Metrics } from "../edges/http/index.ts";
import type { ShaperHealth } from "../network/link-report.ts";

/** Of an experiment whose links a process of ours shapes. */
export interface LinkHealth {
  /** `pid/eid` */
  readonly experiment: string;
  readonly health: ShaperHealth;
}

export function addLinkMetrics(metrics: Metrics, read: () => readonly LinkHealth[]): void {
  const add = (
    family: Pick<MetricFamily, "name" | "help" | "kind">,
    figureOf: (health: ShaperHealth) => number,
  ): void => {
    metrics.add({
      ...family,
      read: () =>
        read().map(({ experiment, health }) => ({
          labels: { experiment },
          value: figureOf(health),
        })),
    });
  };
  const lag = "How late the latest packet of links may have been, in the last half second.";
  add({ name: "muster_link_lag_seconds", help: lag, kind: "gauge" }, ({ lagRecentUs }) => {
    return lagRecentUs / 1e6;
  });
  const most = "How late the latest packet of links may have been since the run began.";
  add({ name: "muster_link_lag_max_seconds", help: most, kind: "gauge" }, ({ lagMaxUs }) => {
    return lagMaxUs / 1e6;
  });
  const late = "Packets of links that may have been sent more than 1 ms after their time.";
  add({ name: "muster_link_late_packets_total", help: late, kind: "counter" }, (it) => it.late);
  const sent = "Packets that links have delivered.";
  add({ name: "muster_link_packets_total", help: sent, kind: "counter" }, (it) => it.packets);
  const lost = "Packets that this machine lost on their way through links.";
  add({ name: "muster_link_lost_packets_total", help: lost, kind: "counter" }, (it) => it.dropped);
}
