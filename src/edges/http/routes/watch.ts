// SPDX-License-Identifier: MIT
// Watching a scope with curl or a page: server-sent events.
import type { Clock } from "../../../host/clock.ts";
import type { Shards } from "../../../host/shards.ts";
import type { HttpTime } from "../../http-time.ts";
import type { HttpBounds } from "../bounds.ts";
import type { ReplyStream, Route } from "../route.ts";
import { defineRoute } from "../route.ts";
import { type ScopeNews, ScopeWatch } from "../scope-watch.ts";
import type { WatchHistory } from "../watch-history.ts";

export interface WatchRouteOptions {
  readonly shards: Shards;
  readonly clock: Clock;
  readonly time: HttpTime;
  readonly bounds: HttpBounds;
  readonly history: WatchHistory;
}

const events =
  "barrier (its state), closed (how one ended), warning (a wait that is old), gap (some are lost)";

export function createWatchRoute(options: WatchRouteOptions): Route {
  const { shards, clock, time, bounds, history } = options;
  return defineRoute({
    method: "GET",
    path: "/v1/watch",
    summary: `Watch a scope: events ${events}`,
    access: "look",
    isScoped: true,
    lasts: "stream",
    answers: [{ status: 200, what: "Server-sent events", type: "text/event-stream" }],
    handle: ({ scope, headers }) => ({
      kind: "reply",
      status: 200,
      type: "text/event-stream",
      body: (out: ReplyStream) => {
        const lastId = headers["last-event-id"];
        const after =
          typeof lastId === "string" && lastId !== ""
            ? { place: history.placeOf(lastId) }
            : undefined;
        // An id alone is no event: it is what a browser shows when it comes back.
        const idHere = history.idOf(after?.place ?? history.place);
        out.write(`: watching\nid: ${idHere}\n\n`);
        const watch = new ScopeWatch({
          ...{ host: shards.of(scope), clock, scope, history, after },
          watchMs: time.watchMs,
          barriersMax: bounds.httpWatchedBarriersMax,
          onNews: (news) => out.write(news.map(formatNews).join("")),
        });
        let cancel = clock.after(time.streamBeatMs, function beat() {
          out.write(": still here\n\n");
          cancel = clock.after(time.streamBeatMs, beat);
        });
        return () => {
          cancel();
          watch.close();
        };
      },
    }),
  });
}

function formatNews(news: ScopeNews): string {
  const id = "id" in news ? `id: ${news.id}\n` : "";
  return `${id}event: ${news.kind}\ndata: ${JSON.stringify(dataOf(news))}\n\n`;
}

function dataOf(news: ScopeNews): object {
  switch (news.kind) {
    case "barrier":
      return news.barrier;
    case "closed":
      return news.closed;
    case "warning":
      return news.warning;
    case "gap":
      return {};
  }
}
