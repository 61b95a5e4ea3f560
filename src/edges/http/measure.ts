// SPDX-License-Identifier: MIT
// The figures of the core, for /metrics. Their names and meanings are in docs/reference/http.md.
import type { BarrierOutcome } from "../../core/effect.ts";
import type { Host } from "../../host/host.ts";
import type { Shards } from "../../host/shards.ts";
import type { Metrics } from "./metrics.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";

const outcomes: readonly BarrierOutcome[] = ["crossed", "failed", "timeout", "cancelled"];

/** @returns what to call when the cores are not watched any more. */
export function measureShards(shards: Shards, metrics: Metrics): () => void {
  const { clock } = shards;
  const ended = new Map<BarrierOutcome, number>(outcomes.map((outcome) => [outcome, 0]));
  let warnings = 0;
  const lastEntryUs = new Map<Host, number>();
  const stops = shards.hosts.map((host) => {
    lastEntryUs.set(host, clock.nowUs());
    return host.observe(() => lastEntryUs.set(host, clock.nowUs()));
  });
  const stop = shards.observe((_, { observed, addressed }) => {
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
  gauge("muster_waiters", "Parties that wait at barriers.", () => shards.figures().waiters);
  gauge("muster_oldest_wait_seconds", "How long the oldest wait has lasted.", () => {
    const waits = shards.hosts.map((host) => {
      const { waiters, oldestWaitUs } = host.figures();
      // Log time stands still while nothing happens, which is what a wait that hangs is like.
      const nowUs = clock.nowUs();
      return oldestWaitUs + (waiters === 0 ? 0 : nowUs - (lastEntryUs.get(host) ?? nowUs));
    });
    return Math.max(...waits) / 1e6;
  });
  gauge("muster_mailbox_commands", "Commands of edges that are not in the log yet.", () => {
    return shards.figures().mailboxCommands;
  });
  gauge("muster_log_away", "1 while the log takes nothing.", () =>
    shards.away.length > 0 ? 1 : 0,
  );
  addShardMetrics(shards, metrics);
  metrics.add({
    name: "muster_uncut_total",
    help: "Times that a log was not cut because a snapshot cannot be read back.",
    kind: "counter",
    read: () => [{ value: shards.hosts.reduce((sum, host) => sum + host.uncutCount, 0) }],
  });
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
  return () => {
    stop();
    for (const stopOne of stops) stopOne();
  };
}

/** What is there of each, where there are several. */
function addShardMetrics({ hosts }: Shards, metrics: Metrics): void {
  if (hosts.length === 1) return;
  const add = (name: string, help: string, read: (host: Host) => number): void => {
    metrics.add({
      ...{ name, help, kind: "gauge" },
      read: () =>
        hosts.map((host, shard) => ({ labels: { shard: String(shard) }, value: read(host) })),
    });
  };
  add("muster_shard_away", "1 while the log of the shard takes nothing.", (host) =>
    host.isLogAway ? 1 : 0,
  );
  add("muster_shard_scopes", "Scopes of the shard.", (host) => host.figures().scopes);
  add("muster_shard_waiters", "Parties that wait in it.", (host) => host.figures().waiters);
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
