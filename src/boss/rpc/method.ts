// SPDX-License-Identifier: MIT
// What a method is, what it is given, and whose experiment it may touch.
//
//   M1. No method reads or changes an experiment before `find` has judged its caller.
import { BossError } from "../boss-error.ts";
import type { ExperimentRow, ExperimentsDatabase } from "../database.ts";
import type { NodeRow } from "../node-rows.ts";
import { type Action, judge } from "../rights.ts";
import type { StateWaits } from "../state-waits.ts";
import { DatabaseStaticData } from "../static-data.ts";
import type { Arguments } from "./arguments.ts";
import type { ExperimentControl } from "./control.ts";
import type { Reply } from "./reply.ts";

/** What the methods work on. */
export interface RpcContext {
  readonly database: ExperimentsDatabase;
  readonly control: ExperimentControl;
  readonly waits: StateWaits;
  /** Directory of an experiment. */
  readonly pathOf: (pid: string, eid: string) => string;
  /** Takes a line for everything that somebody does. */
  readonly audit: (line: string) => void;
  /** Control address of the machine where users log in. */
  readonly opsAddress: string;
}

export interface RpcCall {
  readonly context: RpcContext;
  readonly user: string;
  readonly args: Arguments;
  readonly signal: AbortSignal;
}

/** @throws BossError, which becomes the reply */
export type Method = (call: RpcCall) => Promise<Reply>;

/**
 * The experiment that a call is about, if its caller may do `action` to it.
 * @throws BossError (NO_SUCH_EXPERIMENT also for what the caller may not see)
 */
export function find(call: RpcCall, action: Action): ExperimentRow {
  const { pid, eid } = call.args.experiment();
  return demand(call, call.context.database.experiment(pid, eid), `${pid}/${eid}`, action);
}

/**
 * A node by its id, or by its name in the experiment that the call is about.
 * @throws BossError (NO_SUCH_EXPERIMENT also for nodes of what the caller may not see)
 */
export function findNode(call: RpcCall, name: string, action: Action): NodeRow {
  const { database } = call.context;
  if (call.args.has("exp") || call.args.has("eid")) {
    const row = find(call, action);
    const node = database.nodes.findByName(row.exptidx, name) ?? database.nodes.find(name);
    if (node?.exptidx === row.exptidx) return node;
    throw noNode(name);
  }
  const node = database.nodes.find(name);
  if (node === undefined) throw noNode(name);
  const row = database.experiments().find(({ exptidx }) => exptidx === node.exptidx);
  try {
    demand(call, row, name, action);
  } catch (error) {
    // Whose it is, is not for everybody.
    if (error instanceof BossError && error.code === "NO_SUCH_EXPERIMENT") throw noNode(name);
    throw error;
  }
  return node;
}

/** The static data of the experiment that a call is about. @throws BossError */
export function staticDataOf(call: RpcCall, action: Action): DatabaseStaticData {
  const { pid, eid } = find(call, action);
  const { database, pathOf, opsAddress } = call.context;
  return new DatabaseStaticData({ database, pid, eid, path: pathOf(pid, eid), opsAddress });
}

/** M1. */
function demand(
  { context, user }: RpcCall,
  row: ExperimentRow | undefined,
  name: string,
  action: Action,
): ExperimentRow {
  const none = new BossError("NO_SUCH_EXPERIMENT", `there is no experiment ${name}`);
  if (row === undefined || !context.database.hasUser(user)) throw none;
  const actor = context.database.actor(user, row.pid);
  const what = `${row.pid}/${row.eid}`;
  if (judge(actor, "see", what, row.swapper).kind === "refused") throw none;
  const judgement = judge(actor, action, what, row.swapper);
  if (judgement.kind === "refused") throw new BossError("NOT_ALLOWED", judgement.message);
  return row;
}

function noNode(name: string): BossError {
  const message = `there is no node ${JSON.stringify(name)}; nodes are named NODE.EXPERIMENT.PROJECT, or NODE with \`proj\` and \`exp\``;
  return new BossError("NO_SUCH_EXPERIMENT", message);
}

/** Every method by its name. */
export type Methods = Readonly<Record<string, Method>>;
