// SPDX-License-Identifier: MIT
// Watching a scope with curl or a page: server-sent events.
import type { Clock } from "../../../host/clock.ts";
import type { Host } from "../../../host/host.ts";
import type { HttpTime } from "../../http-time.ts";
import type { HttpBounds } from "../bounds.ts";
import type { ReplyStream, Route } from "../route.ts";
import { defineRoute } from "../route.ts";
import { type ScopeNews, ScopeWatch } from "../scope-watch.ts";

export interface WatchRouteOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly time: HttpTime;
  readonly bounds: HttpBounds;
}

const events = "barrier (its state), closed (how one ended), warning (a wait that is old)";

export function createWatchRoute({ host, clock, time, bounds }: WatchRouteOptions): Route {
  return defineRoute({
    method: "GET",
    path: "/v1/watch",
    summary: `Watch a scope: events ${events}`,
    access: "look",
    isScoped: true,
    lasts: "stream",
    answers: [{ status: 200, what: "Server-sent events", type: "text/event-stream" }],
    handle: ({ scope }) => ({
      kind: "reply",
      status: 200,
      type: "text/event-stream",
      body: (out: ReplyStream) => {
        out.write(": watching\n\n");
        const watch = new ScopeWatch({
          ...{ host, clock, scope },
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
  const data = dataOf(news);
  return `event: ${news.kind}\ndata: ${JSON.stringify(data)}\n\n`;
}

function dataOf(news: ScopeNews): object {
  switch (news.kind) {
    case "barrier":
      return news.barrier;
    case "closed":
      return news.closed;
    case "warning":
      return news.warning;
  }
}
