// SPDX-License-Identifier: MIT
// The figures of the core, for /metrics. Their names and meanings are in docs/reference/http.md.
import type { BarrierOutcome } from "../../core/effect.ts";
import type { Host } from "../../host/host.ts";
import type { Metrics } from "./metrics.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";

const outcomes: readonly BarrierOutcome[] = ["crossed", "failed", "timeout", "cancelled"];

/** @returns what to call when the host is not watched any more. */
export function measureHost(host: Host, metrics: Metrics): () => void {
  const ended = new Map<BarrierOutcome, number>(outcomes.map((outcome) => [outcome, 0]));
  let warnings = 0;
  let lastEntryUs = host.clock.nowUs();
  const stop = host.observe((_, { observed, addressed }) => {
    lastEntryUs = host.clock.nowUs();
    for (const effect of observed) {
      if (effect.kind === "wait-warning") warnings += 1;
      if (effect.kind !== "barrier-closed") continue;
      ended.set(effect.outcome, (ended.get(effect.outcome) ?? 0) + 1);
    }
    for (const { effect } of addressed) {
      if (effect.kind === "refused" && effect.limit !== undefined) metrics.refused(effect.limit);
    }
  });
  const gauge = (name: string, help: string, read: () => number): void => {
    metrics.add({ name, help, kind: "gauge", read: () => [{ value: read() }] });
  };
  gauge("muster_waiters", "Parties that wait at barriers.", () => host.figures().waiters);
  gauge("muster_oldest_wait_seconds", "How long the oldest wait has lasted.", () => {
    const { waiters, oldestWaitUs } = host.figures();
    // Log time stands still while nothing happens, which is what a wait that hangs is like.
    const sinceUs = waiters === 0 ? 0 : host.clock.nowUs() - lastEntryUs;
    return (oldestWaitUs + sinceUs) / 1e6;
  });
  gauge("muster_mailbox_commands", "Commands of edges that are not in the log yet.", () => {
    return host.figures().mailboxCommands;
  });
  gauge("muster_log_away", "1 while the log takes nothing.", () => (host.isLogAway ? 1 : 0));
  metrics.add({
    name: "muster_wait_warnings_total",
    help: "Waits that have become older than warnAfterUs.",
    kind: "counter",
    read: () => [{ value: warnings }],
  });
  metrics.add({
    name: "muster_barriers_ended_total",
    help: "Barriers that ended, by outcome.",
    kind: "counter",
    read: () =>
      outcomes.map((outcome) => ({ labels: { outcome }, value: ended.get(outcome) ?? 0 })),
  });
  return stop;
}

export function createMetricsRoute(metrics: Metrics): Route {
  return defineRoute({
    method: "GET",
    path: "/metrics",
    summary: "Figures for Prometheus",
    access: "look",
    isScoped: false,
    answers: [{ status: 200, what: "Text format 0.0.4", type: "text/plain" }],
    handle: () => ({
      kind: "reply",
      status: 200,
      type: "text/plain; version=0.0.4; charset=utf-8",
      body: metrics.format(),
    }),
  });
}
