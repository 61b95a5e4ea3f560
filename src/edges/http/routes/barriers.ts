// SPDX-License-Identifier: MIT
// Barriers with curl: counts (init, wait as a long poll), and what is the same for all kinds:
// cancel, fail, list and show. Other kinds are in barrier-kinds.ts.
import { z } from "zod";
import { unreachable } from "../../../core/assert.ts";
import type { Command, Participant } from "../../../core/command.ts";
import type { BarrierDescription, BarrierPlace } from "../../../core/description.ts";
import type { BarrierKind, Presence } from "../../../core/effect.ts";
import { barrierCountMax, defaultLimits } from "../../../core/limits.ts";
import type { Clock } from "../../../host/clock.ts";
import type { ArrivalEnd, Arrivals, WaitId } from "../arrivals.ts";
import { HttpError, partiesOf } from "../errors.ts";
import type { Call, Route } from "../route.ts";
import { defineRoute } from "../route.ts";

export interface BarrierRoutesOptions {
  readonly arrivals: Arrivals;
  readonly clock: Clock;
  /** Sees every command before it is submitted. @throws HttpError */
  readonly judge: (call: Pick<Call<unknown, unknown, unknown>, "caller">, command: Command) => void;
}

export const params: z.ZodType<{ readonly barrier: string }> = z.object({
  barrier: z.string().min(1),
});
/** Bytes are checked by the core; this is what may be in a name at all. */
export const name: z.ZodType<string> = withBytes(z.string().min(1).max(255));

/** JSON can say a text that has no bytes, which everybody else would see as another one. */
export function withBytes(schema: z.ZodString): z.ZodString {
  return schema.refine((text) => text.isWellFormed(), "half of a surrogate pair has no bytes");
}

/** What an arrival says. */
export interface ArrivalBody {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly node?: string | undefined;
  readonly error: number;
  readonly timeoutMs?: number | undefined;
  readonly leadMs?: number | undefined;
}

export const arrivalBody: Readonly<{
  [Field in keyof ArrivalBody]-?: z.ZodType<ArrivalBody[Field]>;
}> = {
  id: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("Names this wait: who asks again with it waits on, and counts once"),
  name: name.optional().describe("The participant, for reports of who is there"),
  node: name.optional().describe("The node it is on"),
  error: z.int().min(0).default(0).describe("An error number brought to the barrier"),
  timeoutMs: z
    .int()
    .min(0)
    .optional()
    .describe("The wait ends after this much of the server's time; for ever when absent"),
  leadMs: z
    .int()
    .min(0)
    .max(defaultLimits.togetherLeadUsMax / 1000)
    .optional()
    .describe(
      "Go on together: the answer comes so much later than the crossing, or than others ask",
    ),
};
/** What a wait at a state asks for. */
export const stateTarget: Readonly<{ target: z.ZodType<number>; signal: z.ZodType<boolean> }> = {
  target: z.int().describe("How many signals to wait for"),
  signal: z.boolean().default(false).describe("Signal, too, at the same instant"),
};
export const kindSchema: z.ZodType<BarrierKind> = z.enum(["count", "state", "quorum", "roster"]);

const placeSchema = z.tuple([z.string(), kindSchema]);
const waitBody = z.strictObject(arrivalBody);
const initBody = z.strictObject({
  ...arrivalBody,
  count: z.int().min(0).max(barrierCountMax).describe("How many waits of others to ask for"),
  waits: z.boolean().default(false).describe("Wait with them"),
});
const allQuery = z.object({
  error: z.coerce.number().int().min(0).default(0).describe("The error number of those who wait"),
});
const cancelQuery = allQuery.extend({
  kind: kindSchema.default("count"),
  reason: z.string().optional().describe("Why; told to those who wait"),
});
const failBody = z.strictObject({
  kind: kindSchema.default("count"),
  reason: z.string().describe("Why; told to those who wait"),
  error: z.int().min(0).default(0).describe("The error number of those who wait"),
});

export const crossing: z.ZodType = z.object({
  outcome: z.literal("crossed"),
  generation: z.int().describe("How often a barrier of this name has been opened"),
  error: z.int().describe("The largest error number that anybody brought"),
  go: z
    .object({ offUs: z.int().describe("How much later than the common instant the answer left") })
    .optional(),
});
const counted = z.object({ outcome: z.literal("counted") });

const participant = z.object({
  address: z.string(),
  node: z.string().optional(),
  name: z.string().optional(),
});
const members = z.array(
  z.object({
    name: z.string(),
    group: z.string().optional(),
    sinceUs: z.int().describe("Since when it is so"),
    reason: z.string().optional().describe("Why it is dead"),
  }),
);
const barrierSchema: z.ZodType<BarrierDescription> = z.object({
  scope: z.string(),
  name: z.string(),
  kind: z.enum(["count", "state", "quorum", "roster"]),
  generation: z.int(),
  expected: z.int().describe("Parties asked for so far"),
  arrived: z.int().describe("Parties that wait now"),
  count: z.int().describe("Waits still to come; negative: inits still to come"),
  error: z.int(),
  sinceUs: z.int(),
  waiting: z.array(z.object({ who: participant, error: z.int(), arrivedUs: z.int() })),
  missing: z.array(z.string()).describe("Who has not come, as far as known"),
  state: z
    .object({
      value: z.int().describe("Signals so far"),
      targets: z.array(z.object({ target: z.int(), waiting: z.int() })),
    })
    .optional(),
  quorum: z
    .object({
      quorum: z.union([
        z.object({ kind: z.literal("percent"), percent: z.int() }),
        z.object({ kind: z.literal("count"), count: z.int() }),
      ]),
      status: z.enum(["initialising", "open", "crossed"]),
      peers: z.int().describe("Of this controller"),
      controllers: z.array(
        z.object({
          name: z.string(),
          progress: z.enum(["asked", "initialised", "reached"]),
        }),
      ),
    })
    .optional(),
  roster: z
    .object({
      phase: z.int(),
      rules: z.object({
        phases: z.int().describe("0: without end"),
        whenDead: z.enum(["fail", "shrink", "wait"]),
        whenLate: z.enum(["pass", "refuse", "next"]),
        deadline: z
          .object({ since: z.enum(["opening", "first-arrival", "last-arrival"]), us: z.int() })
          .optional(),
      }),
      arrived: members,
      missing: members,
      dead: members,
    })
    .optional(),
}) as z.ZodType<BarrierDescription>;
const listSchema = z.object({
  scope: z.string(),
  barriers: z.array(barrierSchema).describe("In the order of their names"),
  next: z.string().optional().describe("There are more: the `after` of the next request"),
});
const listQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(defaultLimits.barriersPerPageMax)
    .default(defaultLimits.barriersPerPageMax)
    .describe("Barriers of one page; with many names at them a page has fewer"),
  after: z.string().optional().describe("The `next` of the page before"),
});

type IdCall = Call<
  unknown,
  unknown,
  { readonly id?: string | undefined; readonly leadMs?: number | undefined }
>;

/** Those who go on together are answered at their instant, and told how much later it was. */
export async function goTogether(
  clock: Clock,
  leadMs: number | undefined,
  end: ArrivalEnd,
): Promise<ArrivalEnd & { readonly offUs?: number }> {
  if (leadMs === undefined || end.kind !== "released") return end;
  if (end.goUs === undefined || end.outcome !== "crossed") return end;
  return { ...end, offUs: await instant(clock, end.goUs) };
}

/** @returns what submits a command of a call and waits for how it ends. @throws HttpError */
export function createArrive({ arrivals, clock, judge }: BarrierRoutesOptions) {
  return async (
    call: IdCall,
    build: (connection: number) => ArrivalCommand,
  ): Promise<ArrivalEnd & { readonly offUs?: number }> => {
    const command = build(0);
    judge(call, command);
    const end = await arrivals.arrive(build, call.gone, waitIdOf(call, command));
    return call.body.leadMs === undefined ? end : goTogether(clock, call.body.leadMs, end);
  };
}

/** @returns how much later than at that instant this was, microseconds. */
async function instant(clock: Clock, us: number): Promise<number> {
  for (let left = us - clock.nowUs(); left > 0; left = us - clock.nowUs()) {
    const ms = Math.ceil(left / 1000);
    await new Promise<void>((resolve) => {
      clock.after(ms, resolve);
    });
  }
  return clock.nowUs() - us;
}

/** Whatever names a barrier. */
export type ArrivalCommand = Extract<Command, { readonly barrier: string; connection?: number }>;

export function createBarrierRoutes(options: BarrierRoutesOptions): readonly Route[] {
  const arrive = createArrive(options);
  return [
    defineRoute({
      method: "POST",
      path: "/v1/barriers/{barrier}/init",
      summary: "Open a count barrier for so many, and go on or wait",
      access: "init",
      isScoped: true,
      lasts: "wait",
      params,
      body: initBody,
      answers: [
        {
          status: 200,
          what: "Counted; crossed, when it waited",
          schema: z.union([counted, crossing]),
        },
      ],
      handle: async (call) => {
        const { count, waits } = call.body;
        const kind = "count-init" as const;
        return describeEnd(
          await arrive(call, (connection) => ({
            kind,
            ...arrival(call, connection),
            count,
            waits,
          })),
        );
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v1/barriers/{barrier}/wait",
      summary: "Arrive at a count barrier and wait for the others; a client that goes leaves",
      access: "wait",
      isScoped: true,
      lasts: "wait",
      params,
      body: waitBody,
      answers: [{ status: 200, what: "Crossed", schema: crossing }],
      handle: async (call) => {
        const kind = "count-wait" as const;
        return describeEnd(
          await arrive(call, (connection) => ({ kind, ...arrival(call, connection) })),
        );
      },
    }),
    ...createCancelRoutes(options),
    ...createLookRoutes(options.arrivals),
  ];
}

function createCancelRoutes(options: BarrierRoutesOptions): readonly Route[] {
  const { arrivals, judge } = options;
  const arrive = createArrive(options);
  const submit = (call: Call<unknown, unknown, unknown>, command: Command): void => {
    judge(call, command);
    arrivals.submit(command);
  };
  return [
    defineRoute({
      method: "DELETE",
      path: "/v1/barriers/{barrier}",
      summary: "Cancel a barrier: whoever waits is told so",
      access: "cancel",
      isScoped: true,
      params,
      query: cancelQuery,
      answers: [{ status: 202, what: "It will be cancelled", schema: z.object({}) }],
      handle: async (call) => {
        const { scope, params: which, query } = call;
        const { kind: barrierKind, error, reason } = query;
        await findBarrier(arrivals, scope, which.barrier, barrierKind);
        const why = reason === undefined ? {} : { reason };
        const what = { scope, barrier: which.barrier, barrierKind, error, ...why };
        submit(call, { kind: "cancel", ...what });
        return {};
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v1/barriers/{barrier}/fail",
      summary: "End a barrier as failed: whoever waits is told why",
      access: "cancel",
      isScoped: true,
      params,
      body: failBody,
      answers: [{ status: 200, what: "It has failed", schema: counted }],
      handle: async (call) => {
        const { scope, params: which, body } = call;
        const { kind: barrierKind, reason, error } = body;
        const what = { scope, barrier: which.barrier, barrierKind, reason, error };
        const idCall = { ...call, body: {} };
        return describeEnd(
          await arrive(idCall, (connection) => ({ kind: "fail", ...what, connection })),
        );
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/v1/barriers",
      summary: "Cancel every barrier of the scope",
      access: "cancel",
      isScoped: true,
      query: allQuery,
      answers: [{ status: 202, what: "They will be cancelled", schema: z.object({}) }],
      handle: (call) => {
        submit(call, { kind: "cancel-all", scope: call.scope, error: call.query.error });
        return {};
      },
    }),
  ];
}

function createLookRoutes(arrivals: Arrivals): readonly Route[] {
  return [
    defineRoute({
      method: "GET",
      path: "/v1/barriers",
      summary: "The open barriers of the scope, with who is missing, in pages",
      access: "look",
      isScoped: true,
      query: listQuery,
      answers: [{ status: 200, what: "A page of the barriers", schema: listSchema }],
      handle: async ({ scope, query: { limit: max, after } }): Promise<object> => {
        const from = after === undefined ? {} : { after: parsePlace(after) };
        const { barriers, next } = await arrivals.describe(scope, undefined, { max, ...from });
        return { scope, barriers, ...(next && { next: formatPlace(next) }) };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v1/barriers/{barrier}",
      summary: "One barrier, with who is missing",
      access: "look",
      isScoped: true,
      params,
      query: z.object({ kind: kindSchema.optional().describe("Of a name that several have") }),
      answers: [{ status: 200, what: "The barrier", schema: barrierSchema }],
      handle: ({ scope, params: { barrier }, query: { kind } }) =>
        findBarrier(arrivals, scope, barrier, kind),
    }),
  ];
}

/** A place as a word that goes into a query as it is. */
function formatPlace({ name, kind }: BarrierPlace): string {
  return Buffer.from(JSON.stringify([name, kind])).toString("base64url");
}

/** @throws HttpError (invalid) */
function parsePlace(text: string): BarrierPlace {
  try {
    const words: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    const [name, kind] = placeSchema.parse(words);
    return { name, kind };
  } catch {
    const message = `the query (after): ${JSON.stringify(text)} is not the \`next\` of a page`;
    throw new HttpError("invalid", message);
  }
}

/** The same id at another barrier, or for another request, is another wait. */
function waitIdOf(
  { caller, body: { id } }: Call<unknown, unknown, { readonly id?: string | undefined }>,
  { kind, scope, barrier }: ArrivalCommand,
): WaitId | undefined {
  if (id === undefined) return undefined;
  const { token: owner, account } = caller;
  return { owner, account, key: JSON.stringify([kind, scope, barrier, id]) };
}

/** @throws HttpError (unknown) */
async function findBarrier(
  arrivals: Arrivals,
  scope: string,
  barrier: string,
  wanted?: BarrierKind,
): Promise<BarrierDescription> {
  const { barriers } = await arrivals.describe(scope, barrier);
  const found = barriers.find(({ kind }) => kind === (wanted ?? kind));
  if (found !== undefined) return found;
  const message = `no barrier ${barrier} is open in scope ${scope}; one opens when somebody comes`;
  throw new HttpError("unknown", message);
}

export interface ArrivalFields {
  readonly scope: string;
  readonly barrier: string;
  readonly connection: number;
  readonly error: number;
  readonly who: Participant;
  readonly timeoutUs?: number;
  readonly leadUs?: number;
}

export function arrival(
  call: Call<{ readonly barrier: string }, unknown, ArrivalBody>,
  connection: number,
): ArrivalFields {
  const { scope, params: which } = call;
  return { scope, barrier: which.barrier, connection, ...arrivalFacts(call) };
}

/** What an arrival says, but for where it is. */
export function arrivalFacts({
  caller,
  body,
}: Pick<Call<unknown, unknown, ArrivalBody>, "caller" | "body">): Omit<
  ArrivalFields,
  "scope" | "barrier" | "connection"
> {
  const { name: called, node, error, timeoutMs, leadMs } = body;
  return {
    error,
    who: {
      address: caller.address,
      ...(node === undefined ? {} : { node }),
      ...(called === undefined ? {} : { name: called }),
    },
    ...(timeoutMs === undefined ? {} : { timeoutUs: timeoutMs * 1000 }),
    ...(leadMs === undefined ? {} : { leadUs: leadMs * 1000 }),
  };
}

/** @throws HttpError for a wait that did not end by a crossing. */
export function describeEnd(end: ArrivalEnd & { readonly offUs?: number }): object {
  switch (end.kind) {
    case "acknowledged":
      return { outcome: "counted" };
    case "signalled":
      return { value: end.value };
    case "quorum-status": {
      const { status, generation } = end;
      if (status === "failed" || status === "cancelled" || status === "timeout")
        throw endError(end);
      return { outcome: "open", generation };
    }
    case "released": {
      const { outcome, generation, error, part, value, number, barrierKind, offUs } = end;
      if (outcome !== "crossed") throw endError({ ...end, status: outcome });
      const phase = barrierKind === "roster" && part !== undefined ? { phase: part } : {};
      const own = {
        ...(value === undefined ? {} : { value }),
        ...(number === undefined ? {} : { number }),
      };
      const go = offUs === undefined ? {} : { go: { offUs } };
      return { outcome, generation, error, ...phase, ...own, ...go };
    }
    default:
      return unreachable(end);
  }
}

interface BadEnd {
  readonly status: string;
  readonly barrier: string;
  readonly error: number;
  readonly reason?: string;
  readonly missing?: readonly string[];
  readonly presence?: Presence;
}

function endError(end: BadEnd): HttpError {
  const { status, barrier, error, reason, presence, missing = [] } = end;
  const parties = presence && partiesOf(presence);
  if (status === "timeout") {
    const who = missing.length === 0 ? "nobody is known to be missing" : missing.join(", ");
    const message = `the wait at ${barrier} timed out; missing: ${who}`;
    return new HttpError("timeout", message, { missing, parties });
  }
  const code = status === "failed" ? "failed" : "cancelled";
  const why = reason === undefined ? "" : `: ${reason}`;
  const number = error === 0 ? "" : ` (error ${error})`;
  return new HttpError(code, `the barrier ${barrier} was ${status}${number}${why}`, { parties });
}
