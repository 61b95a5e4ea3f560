// SPDX-License-Identifier: MIT
// Puts a core behind a door: barriers, watching, metrics, sessions. What is served of it is decided
// here; how, in the modules it names.
import { calmLogger } from "../../host/calm-logger.ts";
import type { Clock } from "../../host/clock.ts";
import type { Host } from "../../host/host.ts";
import { newRunId } from "../../host/ids.ts";
import type { Logger } from "../../host/logger.ts";
import { asShards, type Shards } from "../../host/shards.ts";
import type { EdgeCommand } from "../../wire/link/frames.ts";
import { rejoining } from "../rejoining-link.ts";
import type { Caller } from "./access.ts";
import { Arrivals } from "./arrivals.ts";
import { auditCommand } from "./audit.ts";
import { boundMessage } from "./bounds.ts";
import type { HttpDoor } from "./door.ts";
import { HttpError } from "./errors.ts";
import { createMetricsRoute, measureShards } from "./measure.ts";
import { QuorumDrivers } from "./quorum-drivers.ts";
import { createKindRoutes } from "./routes/barrier-kinds.ts";
import { createBarrierRoutes } from "./routes/barriers.ts";
import { createTopicRoutes } from "./routes/topics.ts";
import { createWatchRoute } from "./routes/watch.ts";
import { ScopeQuota } from "./scope-quota.ts";
import { createSessionEndpoint } from "./session.ts";
import { SessionFeeds } from "./session-feeds.ts";
import { TokenQuota } from "./token-quota.ts";
import { TopicCalls } from "./topic-calls.ts";
import { WatchHistory } from "./watch-history.ts";

export interface MountCoreOptions {
  readonly door: HttpDoor;
  /** The core, or the cores of a server that has several logs. */
  readonly host: Host | Shards;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Name of the door's own edge, unique in the core. */
  readonly edge: string;
}

/** @returns what ends the door's edge; call it after the door is closed. */
export function mountCore({
  door,
  host: served,
  clock,
  logger,
  edge,
}: MountCoreOptions): () => Promise<void> {
  const { bounds, metrics, time } = door;
  const shards = asShards(served);
  const connect = rejoining(shards.connectEdge);
  const arrivals = new Arrivals({
    ...{ connect, edge, clock },
    ...{ keptMs: time.waitKeptMs, keptMax: bounds.httpWaitsPerTokenMax },
    tooMany: () => tooManyWaits(door),
  });
  door.addReadiness(() => [shards.outage ?? []].flat());
  door.addReadiness(() => shards.objections);
  const { quota, judge, stop: stopWatching } = openQuotas(door, shards, logger);
  const judgeCall = ({ caller }: { readonly caller: Caller }, command: EdgeCommand): void => {
    const objection = judge(caller, command);
    if (objection !== undefined) throw new HttpError("limit", objection);
  };
  const topics = new TopicCalls({
    ...{ connect, edge: `${edge}/topics`, topics: shards.topics, clock },
    lastOf: (scope, topic) => shards.of(scope).topicLast(scope, topic),
    catchUp: shards.isShared ? (scope) => shards.of(scope).catchUp() : undefined,
  });
  const drivers = new QuorumDrivers({
    ...{ connect, edge: `${edge}/drivers`, clock },
    driversMax: bounds.httpDriversMax,
  });
  const feeds = new SessionFeeds({
    ...{ connect, edge: `${edge}/feeds`, topics: shards.topics, bounds },
    catchUp: shards.isShared ? (scope) => shards.of(scope).catchUp() : undefined,
  });
  for (const route of createBarrierRoutes({ arrivals, clock, judge: judgeCall })) door.route(route);
  for (const route of createKindRoutes({ arrivals, clock, drivers, judge: judgeCall }))
    door.route(route);
  for (const route of createTopicRoutes({ topics, arrivals, clock, judge: judgeCall }))
    door.route(route);
  const history = new WatchHistory({
    epoch: newRunId(),
    bytesMax: bounds.httpWatchKeptBytesMax,
    participantsMax: bounds.httpWatchedNamesMax,
  });
  const stopKeeping = shards.observe(history.note);
  door.route(createWatchRoute({ shards, clock, time, bounds, history }));
  door.route(createMetricsRoute(metrics));
  const calm = calmLogger(logger, clock);
  door.socket(createSessionEndpoint({ host: shards, logger: calm, bounds, feeds, quota, judge }));
  const stopMeasuring = measureShards(shards, metrics);
  return async () => {
    stopMeasuring();
    stopKeeping();
    stopWatching();
    await arrivals.close();
    await topics.close();
    await feeds.close();
    await drivers.close();
  };
}

/** What a token may have, and in how many scopes. */
interface Quotas {
  readonly quota: TokenQuota;
  /** @returns why not. */
  readonly judge: (caller: Caller, command: EdgeCommand) => string | undefined;
  /** The cores are not watched any more. */
  readonly stop: () => void;
}

function openQuotas({ bounds, metrics, guests }: HttpDoor, shards: Shards, logger: Logger): Quotas {
  const { facts } = shards;
  const scopes = new ScopeQuota(bounds, metrics, (scope) => facts.hasScope(scope));
  const quota = new TokenQuota({
    ...{ bounds, metrics },
    hasBarrier: (scope, kind, barrier) => facts.hasBarrier(scope, kind, barrier),
    isAlive: (session) => facts.isAlive(session),
    waitersOf: (session) => facts.waitersOfEdge(session),
    waitsOf: (isMeant) => guests.count("wait", isMeant),
  });
  const stop = shards.observe(({ entry }) => {
    for (const { commands } of entry.batches) {
      for (const command of commands) {
        if (command.kind !== "close-scope" || facts.hasScope(command.scope)) continue;
        scopes.ended(command.scope);
        quota.scopeEnded(command.scope);
      }
    }
  });
  const judge = (caller: Caller, command: EdgeCommand): string | undefined => {
    const objection = scopes.objection(caller, command) ?? quota.objection(caller, command);
    if (objection === undefined) auditCommand(logger, caller, command);
    return objection;
  };
  return { quota, judge, stop };
}

function tooManyWaits({ bounds, metrics }: HttpDoor): HttpError {
  metrics.refused("httpWaitsPerTokenMax");
  const what = "waits with an id are kept for a while";
  return new HttpError("limit", `${what}: ${boundMessage(bounds, "httpWaitsPerTokenMax")}`);
}
