// SPDX-License-Identifier: MIT
// Whether the process lives, and whether somebody should be sent to it: two questions, because a
// server that lets its waits end lives and takes nobody new.
import { z } from "zod";
import type { Route } from "../route.ts";
import { defineRoute } from "../route.ts";

const readiness = z.object({
  name: z.string().describe("What the server calls itself"),
  ready: z.boolean(),
  why: z.array(z.string()).describe("Why not"),
  logVersion: z.number().optional().describe("What version the log is of; of several the least"),
});

export interface Health {
  /** What the server calls itself. */
  readonly name: string;
  readonly logVersion: (() => number) | undefined;
  /** Why nobody should be sent here; none when it is ready. */
  readonly notReady: () => readonly string[];
}

export function createHealthRoutes({ name, logVersion, notReady }: Health): readonly Route[] {
  return [
    defineRoute({
      method: "GET",
      path: "/healthz",
      summary: "Whether the process lives",
      access: "anyone",
      isScoped: false,
      answers: [{ status: 200, what: "It does", type: "text/plain" }],
      handle: () => ({ kind: "reply", status: 200, type: "text/plain", body: "ok\n" }),
    }),
    defineRoute({
      method: "GET",
      path: "/readyz",
      summary: "Whether new clients should be sent here",
      access: "anyone",
      isScoped: false,
      answers: [
        { status: 200, what: "They should", schema: readiness },
        { status: 503, what: "It is closing, or its log or a bus is away", schema: readiness },
      ],
      handle: () => {
        const why = notReady();
        const ready = why.length === 0;
        const said = { name, ready, why, logVersion: logVersion?.() };
        const body = `${JSON.stringify(said)}\n`;
        return { kind: "reply", status: ready ? 200 : 503, type: "application/json", body };
      },
    }),
  ];
}
