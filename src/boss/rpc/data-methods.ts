// SPDX-License-Identifier: MIT
// Methods that tell what an experiment is: what its scheduler must know before it begins.
// [EMULAB-EVENTS 2.3]
import type { Tables } from "../../experiment/index.ts";
import { array, struct, text, textRows, whole } from "../../wire/xmlrpc/index.ts";
import { bad } from "./arguments.ts";
import { type Method, type Methods, staticDataOf } from "./method.ts";
import { success } from "./reply.ts";

const metadata: Method = async (call) => {
  const data = await staticDataOf(call, "see").metadata();
  const environment = data.environment.map(([name, value]) =>
    struct([
      ["name", text(name)],
      ["value", text(value)],
    ]),
  );
  return success(
    struct([
      ["pid", text(data.pid)],
      ["eid", text(data.eid)],
      ["exptidx", whole(data.index)],
      ["state", text(data.state)],
      ["creator", text(data.creator)],
      ["swapper", text(data.swapper)],
      ["path", text(data.path)],
      ["sync_server", text(data.syncServer)],
      ["user_environment", array(environment)],
    ]),
  );
};

const state: Method = async (call) => {
  const found = await staticDataOf(call, "see").state();
  return success(text(found), found);
};

const agentList: Method = async (call) => {
  const agents = await staticDataOf(call, "see").agents();
  return success(
    textRows(
      agents.map(({ name, vnode, nodeId, address, objectType }) => {
        return [name, vnode, nodeId, address, objectType];
      }),
    ),
  );
};

const groupList: Method = async (call) => {
  const groups = await staticDataOf(call, "see").groups();
  return success(textRows(groups.map(({ group, agent }) => [group, agent])));
};

const eventList: Method = async (call) => {
  const events = await staticDataOf(call, "see").events();
  return success(
    textRows(
      events.map(({ index, timeSeconds, name, objectType, eventType, args, parent, trigger }) => {
        const when = [String(index), String(timeSeconds)];
        return [...when, name, objectType, eventType, args, parent, trigger];
      }),
    ),
  );
};

/** Records when a timeline began, or tells what has begun. Time 0 takes a record back. */
const timeStart: Method = async (call) => {
  const { args } = call;
  const time = args.optionalNumber("time");
  const data = staticDataOf(call, time === undefined ? "see" : "modify");
  const timeline = args.optionalText("timeline");
  if (time !== undefined) {
    if (time < 0) throw bad("`time` must be seconds since 1970, or 0");
    await data.setStart(timeline ?? "", time === 0 ? undefined : time);
    return success(text("ok"));
  }
  const starts = await data.starts();
  const wanted = starts.filter((one) => timeline === undefined || one.timeline === timeline);
  return success(
    array(
      wanted.map((one) =>
        struct([
          ["parent", text(one.timeline)],
          ["arguments", text(String(one.startSeconds))],
        ]),
      ),
    ),
  );
};

/** Names of tables that callers know by another name. */
const tableAliases: ReadonlyMap<string, string> = new Map([
  ["node_startlocs", "virt_node_startloc"],
]);

const virtualTopology: Method = async (call) => {
  const tables = staticDataOf(call, "see").tables();
  const wanted = call.args.has("tables")
    ? call.args.names("tables")
    : Object.keys(tables).sort((a, b) => (a < b ? -1 : 1));
  return success(struct(wanted.map((name) => [name, tableValue(tables, name)] as const)));
};

function tableValue(tables: Tables, name: string) {
  const rows = tables[tableAliases.get(name) ?? name] ?? [];
  return array(
    rows.map((row) => struct(Object.entries(row).map(([column, value]) => [column, text(value)]))),
  );
}

export const dataMethods: Methods = {
  "experiment.metadata": metadata,
  "experiment.state": state,
  "experiment.event_agentlist": agentList,
  "experiment.event_grouplist": groupList,
  "experiment.event_eventlist": eventList,
  "experiment.event_time_start": timeStart,
  "experiment.virtual_topology": virtualTopology,
};
