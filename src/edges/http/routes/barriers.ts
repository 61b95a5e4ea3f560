// SPDX-License-Identifier: MIT
// Count barriers with curl: init, wait as a long poll, cancel, list and show.
import { z } from "zod";
import type { Command, CountInit, CountWait } from "../../../core/command.ts";
import type { BarrierDescription, ScopeDescription } from "../../../core/description.ts";
import { barrierCountMax } from "../../../core/limits.ts";
import type { ArrivalEnd, Arrivals, WaitId } from "../arrivals.ts";
import { HttpError } from "../errors.ts";
import type { Call, Route } from "../route.ts";
import { defineRoute } from "../route.ts";

export interface BarrierRoutesOptions {
  readonly arrivals: Arrivals;
  /** Sees every command before it is submitted. @throws HttpError */
  readonly judge: (call: Pick<Call<unknown, unknown, unknown>, "caller">, command: Command) => void;
}

const params = z.object({ barrier: z.string().min(1) });
/** Bytes are checked by the core; this is what may be in a name at all. */
const name = z.string().min(1).max(255);

const arrivalBody = {
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
};

const waitBody = z.strictObject(arrivalBody);
const initBody = z.strictObject({
  ...arrivalBody,
  count: z.int().min(0).max(barrierCountMax).describe("How many waits of others to ask for"),
  waits: z.boolean().default(false).describe("Wait with them"),
});
const cancelQuery = z.object({
  error: z.coerce.number().int().min(0).default(0).describe("The error number of those who wait"),
});

const crossing = z.object({
  outcome: z.literal("crossed"),
  generation: z.int().describe("How often a barrier of this name has been opened"),
  error: z.int().describe("The largest error number that anybody brought"),
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
const listSchema = z.object({ scope: z.string(), barriers: z.array(barrierSchema) });

export function createBarrierRoutes({ arrivals, judge }: BarrierRoutesOptions): readonly Route[] {
  const arrive = (
    call: Call<unknown, unknown, { readonly id?: string | undefined }>,
    build: (connection: number) => CountInit | CountWait,
  ): Promise<ArrivalEnd> => {
    const command = build(0);
    judge(call, command);
    return arrivals.arrive(build, call.signal, waitIdOf(call, command));
  };
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
    ...createCancelRoutes({ arrivals, judge }),
    ...createLookRoutes(arrivals),
  ];
}

function createCancelRoutes({ arrivals, judge }: BarrierRoutesOptions): readonly Route[] {
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
        await findBarrier(arrivals, scope, which.barrier);
        submit(call, { kind: "cancel", scope, barrier: which.barrier, error: query.error });
        return {};
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/v1/barriers",
      summary: "Cancel every barrier of the scope",
      access: "cancel",
      isScoped: true,
      query: cancelQuery,
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
      summary: "The open barriers of the scope, with who is missing",
      access: "look",
      isScoped: true,
      answers: [{ status: 200, what: "The barriers", schema: listSchema }],
      handle: async ({ scope }): Promise<Pick<ScopeDescription, "scope" | "barriers">> => {
        const { barriers } = await arrivals.describe(scope);
        return { scope, barriers };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v1/barriers/{barrier}",
      summary: "One barrier, with who is missing",
      access: "look",
      isScoped: true,
      params,
      answers: [{ status: 200, what: "The barrier", schema: barrierSchema }],
      handle: ({ scope, params: { barrier } }) => findBarrier(arrivals, scope, barrier),
    }),
  ];
}

/** The same id at another barrier, or for another request, is another wait. */
function waitIdOf(
  { caller, body: { id } }: Call<unknown, unknown, { readonly id?: string | undefined }>,
  { kind, scope, barrier }: CountInit | CountWait,
): WaitId | undefined {
  if (id === undefined) return undefined;
  return { owner: caller.token, key: JSON.stringify([kind, scope, barrier, id]) };
}

/** @throws HttpError (unknown) */
async function findBarrier(
  arrivals: Arrivals,
  scope: string,
  barrier: string,
): Promise<BarrierDescription> {
  const { barriers } = await arrivals.describe(scope, barrier);
  if (barriers[0] !== undefined) return barriers[0];
  const message = `no barrier ${barrier} is open in scope ${scope}; one opens when somebody comes`;
  throw new HttpError("unknown", message);
}

function arrival(
  {
    scope,
    params: which,
    body,
    caller,
  }: Call<z.output<typeof params>, unknown, z.output<typeof waitBody>>,
  connection: number,
) {
  const { name: called, node, error, timeoutMs } = body;
  return {
    ...{ scope, barrier: which.barrier, connection, error },
    who: {
      address: caller.address,
      ...(node === undefined ? {} : { node }),
      ...(called === undefined ? {} : { name: called }),
    },
    ...(timeoutMs === undefined ? {} : { timeoutUs: timeoutMs * 1000 }),
  };
}

/** @throws HttpError for a wait that did not end by a crossing. */
function describeEnd(end: ArrivalEnd): object {
  if (end.kind === "acknowledged") return { outcome: "counted" };
  const { outcome, generation, error, barrier, missing = [], reason } = end;
  if (outcome === "crossed") return { outcome, generation, error };
  if (outcome === "timeout") {
    const who = missing.length === 0 ? "nobody is known to be missing" : missing.join(", ");
    throw new HttpError("timeout", `the wait at ${barrier} timed out; missing: ${who}`, {
      missing,
    });
  }
  const why = reason === undefined ? "" : `: ${reason}`;
  throw new HttpError("cancelled", `the barrier ${barrier} was ${outcome} (error ${error})${why}`);
}
