// SPDX-License-Identifier: MIT
// Methods that change what an experiment does: swap-in, swap-out, modification, event system.
// [EMULAB-EVENTS 2.3] [EMULAB-EVENTS 7.5]
import { text } from "../../wire/xmlrpc/index.ts";
import { BossError } from "../boss-error.ts";
import type { ExperimentState } from "../states.ts";
import { bad } from "./arguments.ts";
import { eventSystemActions } from "./control.ts";
import { find, type Method, type Methods, staticDataOf } from "./method.ts";
import { notYet, success } from "./reply.ts";

const swapExperiment: Method = async (call) => {
  const { context, user, args } = call;
  const direction = args.text("direction");
  const isWaiting = args.flag("wait", false);
  switch (direction) {
    case "in": {
      const row = find(call, "swap-in");
      const { active } = await context.control.swapIn(row, user);
      if (isWaiting && !(await active)) {
        const message = `${row.pid}/${row.eid} did not become active; see: muster status ${row.eid}`;
        throw new BossError("WRONG_STATE", message);
      }
      return success(text("in"), isWaiting ? "it is active" : "it is on its way up");
    }
    case "out": {
      const row = find(call, "swap-out");
      const gone = context.control.swapOut(row, user);
      if (isWaiting) await gone;
      else gone.catch(() => undefined); // Told where everybody can see it: muster status.
      return success(text("out"), isWaiting ? "it is swapped out" : "it is on its way down");
    }
    default:
      throw bad("`direction` must be in or out");
  }
};

/**
 * The text comes with the call: a path would be read with the rights of the daemon. Schedulers are
 * told of what changes, and nodes of what is new for them; `wait`, `reboot` and `restart_eventsys`
 * have nothing to add.
 */
const modify: Method = async (call) => {
  const row = find(call, "modify");
  const { pid, eid } = row;
  const source = call.args.optionalText("nsfilestr");
  if (source === undefined) {
    const instead = `send its text as \`nsfilestr\`, or use: muster modify ${pid}/${eid} FILE`;
    return notYet("files of this machine are not read for callers (nsfilepath)", instead);
  }
  const summary = await call.context.control.modify(row, source, call.user);
  return success(text("ok"), summary);
};

const statesForEvents: readonly ExperimentState[] = [
  "active",
  "activating",
  "modify_reswap",
  "swapping",
];

const eventSystemControl: Method = async (call) => {
  const { context, user, args } = call;
  const action = eventSystemActions.find((one) => one === args.text("action"));
  if (action === undefined) throw bad(`\`action\` must be ${eventSystemActions.join(", ")}`);
  const row = find(call, "swap-out");
  if (!statesForEvents.includes(row.state)) {
    const message = `${row.pid}/${row.eid} must be active (or swapping), not ${row.state}!`;
    throw new BossError("WRONG_STATE", message);
  }
  const { events } = context.control;
  // As ever where events are not configured. [EMULAB-EVENTS 7.5]
  if (events === undefined) return success(text("ok"), "");
  const isBare = context.database.nodes.ofExperiment(row.exptidx).length === 0;
  if (action === "start" && isBare && !args.flag("force", false)) {
    return success(text("ok"), `${row.pid}/${row.eid} has no nodes: no event system is started`);
  }
  // What began before is forgotten, or the time of a replay would not be told.
  if (action !== "start") context.database.nodes.clearStarts(row.exptidx);
  const options = {
    debug: args.flag("debug", false),
    opsAgent: action !== "stop" && (args.flag("ops_agent", false) || (await hasOpsPrograms(call))),
  };
  return success(text("ok"), await events.control(row, action, user, options));
};

/** Programs on the machine where users log in need an agent there. [EMULAB-EVENTS 7.5] */
async function hasOpsPrograms(call: Parameters<Method>[0]): Promise<boolean> {
  const agents = await staticDataOf(call, "swap-out").agents();
  return agents.some(({ objectType, vnode }) => objectType === "PROGRAM" && vnode === "ops");
}

export const swapMethods: Methods = {
  "experiment.swapexp": swapExperiment,
  "experiment.modify": modify,
  "experiment.eventsys_control": eventSystemControl,
};
