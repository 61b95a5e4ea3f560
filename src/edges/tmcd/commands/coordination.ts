// SPDX-License-Identifier: MIT
// What programs on many nodes meet by: sync server, ready bits, registered ports, start commands.
// [EMULAB-TMCD 9] [EMULAB-TMCD 10] [EMULAB-TMCD 11] [EMULAB-TMCD 12]
import {
  formatPort,
  formatPrograms,
  formatReadyCount,
  formatStartupCommand,
  formatSyncServer,
  formatTraffic,
  formatUserEnvironment,
  parsePortArguments,
  parseStartStatus,
} from "../../../wire/tmcd/index.ts";
import { type Handler, reservationOf, silence } from "./handler.ts";

export const syncserver: Handler = (asked) => {
  const owner = reservationOf(asked);
  if (owner?.syncServer === undefined) return silence;
  const { pid, eid, syncServer } = owner;
  const name = `${syncServer}.${eid}.${pid}.${asked.source.site.domain}`;
  return formatSyncServer(name, asked.node.vname === syncServer);
};

export const ready: Handler = async ({ node, source }) => {
  if (!node.isVirtual) await source.report(node, { kind: "ready" });
  return silence;
};

export const readycount: Handler = async ({ node, source }) => {
  if (node.isVirtual) return silence;
  const count = await source.readyCount(node);
  return formatReadyCount(count.ready, count.total);
};

export const startupcmd: Handler = async (asked) => {
  const { node, source } = asked;
  const swapper = reservationOf(asked)?.swapper ?? "";
  return formatStartupCommand(await source.startupCommand(node), swapper);
};

export const startstatus: Handler = async ({ node, source, request, note }) => {
  const status = parseStartStatus(request.args);
  if (status === undefined) note("not a decimal exit status");
  else await source.report(node, { kind: "start-status", status });
  return silence;
};

export const programs: Handler = async (asked) => {
  const { node, source, request } = asked;
  const swapper = reservationOf(asked)?.swapper ?? "";
  return formatPrograms(await source.programs(node), swapper, request.version);
};

export const userenv: Handler = async ({ node, source }) =>
  formatUserEnvironment(await source.userEnvironment(node));

export const trafgens: Handler = async ({ node, source }) =>
  formatTraffic(await source.traffic(node));

/** Not for a free node, which has no experiment to register in (fault 9). */
export const portregister: Handler = async (asked) => {
  const { node, source, request, note } = asked;
  const owner = reservationOf(asked);
  const wanted = parsePortArguments(request.args);
  if (owner === undefined || wanted === undefined) {
    note(owner === undefined ? "from a free node" : "needs SERVICE and perhaps a PORT");
    return silence;
  }
  if (wanted.kind === "register") {
    await source.registerPort(owner, wanted.service, { port: wanted.port, nodeId: node.id });
    return silence;
  }
  const row = await source.lookUpPort(owner, wanted.service);
  return row === undefined ? silence : formatPort(row.port, `${row.nodeId}.${source.site.domain}`);
};
