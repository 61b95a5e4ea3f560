// SPDX-License-Identifier: MIT
// States, quorums and rosters with curl. Who makes a quorum or a roster by a request need not stay:
// its waiters go on when it crosses. Who arrives at a roster by a request is not dead when its
// request ends, but has left.
import { z } from "zod";
import type { Quorum } from "../../../core/command.ts";
import type { QuorumStatus } from "../../../core/effect.ts";
import { barrierCountMax } from "../../../core/limits.ts";
import { HttpError } from "../errors.ts";
import type { QuorumDrivers } from "../quorum-drivers.ts";
import { defineRoute, type Route } from "../route.ts";
import {
  arrival,
  arrivalBody,
  type BarrierRoutesOptions,
  createArrive,
  crossing,
  describeEnd,
  name,
  params,
  stateTarget,
} from "./barriers.ts";

const { id, timeoutMs, leadMs: _lead, error: _error, ...who } = arrivalBody;
const count = z.int().min(0).max(barrierCountMax);
const deadline = z
  .strictObject({
    since: z.enum(["opening", "first-arrival", "last-arrival"]),
    ms: z.int().min(0).describe("Of the server's time"),
  })
  .optional()
  .describe("Ends it for everybody");
const member = z.union([
  name.transform((called) => ({ name: called })),
  z.strictObject({ name, group: name }),
]);
const open = z.object({ outcome: z.enum(["open", "counted"]), generation: z.int().optional() });

const signalBody = z.strictObject({ id, ...who });
const stateWaitBody = z.strictObject({
  ...{ ...arrivalBody, ...stateTarget },
});
const quorumBody = z.strictObject({
  ...{ id, ...who },
  percent: z.int().min(0).max(100).optional().describe("Of the peers of each controller"),
  count: count.optional().describe("Instead of a percentage"),
  echo: z
    .enum(["automatic", "explicit"])
    .default("automatic")
    .describe("explicit: who waits goes on when .../echo says so"),
  deadline,
});
const rosterBody = z.strictObject({
  ...{ id, ...who },
  members: z.array(member).describe("Names, or names with the group that they are of"),
  phases: z.int().min(0).default(1).describe("How often all meet; 0: until it is ended"),
  whenDead: z.enum(["fail", "shrink", "wait"]).default("fail"),
  whenLate: z.enum(["refuse", "pass", "next"]).default("refuse"),
  deadline,
});
const arriveBody = z.strictObject({
  ...arrivalBody,
  name: name.describe("Which member"),
  phase: z.int().min(0).optional().describe("The phase it should be in"),
});
const changeBody = z.strictObject({
  add: z.array(member).default([]),
  remove: z.array(name).default([]),
});

const deadBody = z.strictObject({ reason: z.string().describe("Why; told to who waits for it") });

export interface KindRoutesOptions extends BarrierRoutesOptions {
  readonly drivers: QuorumDrivers;
}

export function createKindRoutes(options: KindRoutesOptions): readonly Route[] {
  return [
    ...createStateRoutes(options),
    ...createQuorumRoutes(options),
    ...createRosterRoutes(options),
    createDeadRoute(options),
  ];
}

function createDeadRoute({ arrivals, judge }: BarrierRoutesOptions): Route {
  return defineRoute({
    method: "POST",
    path: "/v1/participants/{participant}/dead",
    summary: "Somebody is dead, in all rosters of the scope: their rules decide",
    access: "cancel",
    isScoped: true,
    params: z.object({ participant: z.string().min(1) }),
    body: deadBody,
    answers: [{ status: 200, what: "It is known", schema: open }],
    handle: async (call) => {
      const { scope, params: which, body, gone } = call;
      const command = { kind: "roster-dead", scope, ...which, reason: body.reason } as const;
      judge(call, { ...command, connection: 0 });
      return describeEnd(await arrivals.arrive((connection) => ({ ...command, connection }), gone));
    },
  });
}

function createStateRoutes(options: BarrierRoutesOptions): readonly Route[] {
  const arrive = createArrive(options);
  return [
    defineRoute({
      method: "POST",
      path: "/v1/states/{barrier}/signal",
      summary: "Add one to a state",
      access: "wait",
      isScoped: true,
      params,
      body: signalBody,
      answers: [{ status: 200, what: "Which signal it was", schema: z.object({ value: z.int() }) }],
      handle: async (call) =>
        describeEnd(
          await arrive(call, (connection) => {
            const body = { ...call.body, error: 0 };
            const { scope, barrier, who: from } = arrival({ ...call, body }, connection);
            return { kind: "state-signal", scope, barrier, who: from, connection };
          }),
        ),
    }),
    defineRoute({
      method: "POST",
      path: "/v1/states/{barrier}/wait",
      summary: "Wait until a state has had so many signals, perhaps with one's own",
      access: "wait",
      isScoped: true,
      lasts: "wait",
      params,
      body: stateWaitBody,
      answers: [{ status: 200, what: "Reached", schema: crossing }],
      handle: async (call) => {
        const { target, signal } = call.body;
        const kind = signal ? "state-signal-and-wait" : "state-wait";
        return describeEnd(
          await arrive(call, (connection) => ({ kind, ...arrival(call, connection), target })),
        );
      },
    }),
  ];
}

function createQuorumRoutes(options: KindRoutesOptions): readonly Route[] {
  const arrive = createArrive(options);
  return [
    createPeersRoute(options),
    ...createDriverRoutes(options),
    defineRoute({
      method: "POST",
      path: "/v1/quorums/{barrier}/init",
      summary: "Make a quorum barrier, for a part of the peers of each controller",
      access: "init",
      isScoped: true,
      lasts: "wait",
      params,
      body: quorumBody,
      answers: [{ status: 200, what: "All controllers have it", schema: open }],
      handle: async (call) => {
        const body = { ...call.body, error: 0 };
        const quorum = quorumOf(call.body);
        const until = deadlineOf(call.body);
        const build = (connection: number) => {
          const { scope, barrier, who: from } = arrival({ ...call, body }, connection);
          const made = { scope, barrier, who: from, connection, quorum, ...until };
          return { kind: "quorum-init", ...made, echo: call.body.echo } as const;
        };
        if (call.body.echo === "automatic") return describeEnd(await arrive(call, build));
        options.judge(call, build(0));
        const { kind: _, connection: __, echo: ___, ...made } = build(0);
        return describeEnd(await options.drivers.init(call.caller.account, made));
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v1/quorums/{barrier}/wait",
      summary: "Arrive at a quorum barrier and wait for enough others",
      access: "wait",
      isScoped: true,
      lasts: "wait",
      params,
      body: z.strictObject(arrivalBody),
      answers: [{ status: 200, what: "Crossed", schema: crossing }],
      handle: async (call) =>
        describeEnd(
          await arrive(call, (connection) => ({
            ...{ kind: "quorum-wait", ...arrival(call, connection) },
          })),
        ),
    }),
  ];
}

/** For whoever has made a quorum with an explicit echo; any driver of the scope stands for him. */
function createDriverRoutes({ drivers }: KindRoutesOptions): readonly Route[] {
  return [
    defineRoute({
      method: "POST",
      path: "/v1/quorums/{barrier}/crossed",
      summary: "Wait until a quorum made with an explicit echo has crossed",
      access: "init",
      isScoped: true,
      lasts: "wait",
      params,
      body: z.strictObject({ timeoutMs }),
      answers: [{ status: 200, what: "Crossed; nobody has gone on", schema: crossing }],
      handle: async (call) => {
        const { scope, params: which, body, gone } = call;
        const place = { scope, barrier: which.barrier };
        return driven(await drivers.crossed(place, { timeoutMs: body.timeoutMs, gone }));
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v1/quorums/{barrier}/echo",
      summary: "Let those go on who wait at a quorum that has crossed",
      access: "init",
      isScoped: true,
      params,
      body: z.strictObject({}),
      answers: [{ status: 200, what: "They have been told", schema: crossing }],
      handle: async ({ scope, params: which }) =>
        driven(await drivers.letGo({ scope, barrier: which.barrier })),
    }),
  ];
}

/** @throws HttpError when it has ended otherwise. */
function driven(status: QuorumStatus): object {
  const { generation, error } = status;
  describeEnd(status);
  return { outcome: "crossed", generation, error };
}

function createPeersRoute({ arrivals, judge }: BarrierRoutesOptions): Route {
  return defineRoute({
    method: "PUT",
    path: "/v1/peers",
    summary: "How many peers the scope has, beside those that are registered by name",
    access: "scope",
    isScoped: true,
    body: z.strictObject({ count }),
    answers: [{ status: 200, what: "So many", schema: open }],
    handle: async (call) => {
      const { scope, body, gone } = call;
      const command = { kind: "peers-set", scope, count: body.count } as const;
      judge(call, { ...command, connection: 0 });
      return describeEnd(await arrivals.arrive((connection) => ({ ...command, connection }), gone));
    },
  });
}

function createRosterRoutes(options: BarrierRoutesOptions): readonly Route[] {
  const arrive = createArrive(options);
  return [
    defineRoute({
      method: "POST",
      path: "/v1/rosters/{barrier}/open",
      summary: "Open a roster: who is expected, by name, and the rules",
      access: "init",
      isScoped: true,
      params,
      body: rosterBody,
      answers: [{ status: 200, what: "It is open", schema: open }],
      handle: async (call) => {
        const { members, phases, whenDead, whenLate } = call.body;
        const rules = { phases, whenDead, whenLate, ...deadlineOf(call.body) };
        const body = { ...call.body, error: 0 };
        return describeEnd(
          await arrive(call, (connection) => {
            const { scope, barrier, who: from } = arrival({ ...call, body }, connection);
            const opened = { scope, barrier, who: from, connection, members, rules };
            return { kind: "roster-open", ...opened };
          }),
        );
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v1/rosters/{barrier}/arrive",
      summary: "A member arrives and waits for the others; a client that goes leaves",
      access: "wait",
      isScoped: true,
      lasts: "wait",
      params,
      body: arriveBody,
      answers: [{ status: 200, what: "The phase has crossed", schema: crossing }],
      handle: async (call) => {
        const { phase } = call.body;
        const which = phase === undefined ? {} : { phase };
        return describeEnd(
          await arrive(call, (connection) => ({
            ...{ kind: "roster-arrive", ...arrival(call, connection), ...which },
          })),
        );
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v1/rosters/{barrier}/change",
      summary: "Expect others, while people wait",
      access: "init",
      isScoped: true,
      params,
      body: changeBody,
      answers: [{ status: 200, what: "Changed", schema: open }],
      handle: async (call) => {
        const { scope, params: which, body } = call;
        const change = { scope, barrier: which.barrier, ...body };
        const asked = { ...call, body: {} };
        return describeEnd(
          await arrive(asked, (connection) => ({ kind: "roster-change", ...change, connection })),
        );
      },
    }),
  ];
}

interface DeadlineBody {
  readonly deadline?: z.output<typeof deadline>;
}

function deadlineOf({ deadline: until }: DeadlineBody) {
  if (until === undefined) return {};
  return { deadline: { since: until.since, us: until.ms * 1_000 } };
}

/** A count of 0 is none: the core says so. */
/** @throws HttpError */
function quorumOf({ percent, count: many }: z.output<typeof quorumBody>): Quorum {
  if (percent !== undefined) return { kind: "percent", percent };
  if (many !== undefined) return { kind: "count", count: many };
  throw new HttpError("invalid", "the body lacks percent or count; see /openapi.json");
}
