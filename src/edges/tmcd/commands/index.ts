// SPDX-License-Identifier: MIT
// The code of every command of the table. Those without a configuration of their own answer what
// the old server answers for a node with nothing configured. [EMULAB-TMCD 8] [EMULAB-TMCD 9]
import { type CommandName, formatPart, tmcdCommands } from "../../../wire/tmcd/index.ts";
import { whyNot } from "../admit.ts";
import * as coordination from "./coordination.ts";
import { type Asked, type Handler, type Reply, silence } from "./handler.ts";
import * as identity from "./identity.ts";
import * as network from "./network.ts";
import * as reports from "./reports.ts";
import * as site from "./site.ts";

export type { Asked, Reply } from "./handler.ts";

const nothing: Handler = () => silence;

const handlers: Readonly<Record<CommandName, Handler>> = {
  ...identity,
  ...coordination,
  ...{ startstat: coordination.startstatus },
  hostnames: network.hostnames,
  ifconfig: network.ifconfig,
  delay: network.delay,
  linkdelay: network.linkdelay,
  routing: network.routing,
  topomap: network.map("topomap"),
  ltmap: network.map("ltmap"),
  ltpmap: network.map("ltpmap"),
  state: reports.state,
  isalive: reports.isalive,
  rusage: reports.rusage,
  watchdoginfo: reports.watchdoginfo,
  ntpdrift: reports.ntpdrift,
  battery: reports.battery,
  sfshostid: reports.upload("sfshostid"),
  hostkeys: reports.upload("hostkeys"),
  hostinfo: reports.upload("hostinfo"),
  booterrno: reports.upload("booterrno"),
  bootlog: reports.upload("bootlog"),
  reset: reports.upload("reset"),
  ...site,
  fullconfig,
  // Nothing of these is ever configured here, and all say so by an empty reply.
  reboot: nothing,
  manifest: nothing,
  accounts: nothing,
  bridges: nothing,
  deltas: nothing,
  loadinfo: nothing,
  nseconfigs: nothing,
  tunnels: nothing,
  subnodelist: nothing,
  jailconfig: nothing,
  plabconfig: nothing,
  subconfig: nothing,
  routelist: nothing,
  firewallinfo: nothing,
  emulabconfig: nothing,
  eplabconfig: nothing,
  localization: nothing,
  rootpswd: nothing,
  tiptunnels: nothing,
  traceinfo: nothing,
  elvindport: nothing,
  plabeventkeys: nothing,
  intfcmap: nothing,
  motelog: nothing,
  bootwhat: nothing,
  tpmblob: nothing,
  tpmpubkey: nothing,
  tpmdummy: nothing,
  securestate: nothing,
  quoteprep: nothing,
  imagekey: nothing,
  dhcpdconf: nothing,
};

/** Runs one command. */
export async function runCommand(asked: Asked): Promise<Reply> {
  return handlers[asked.request.command.name](asked);
}

/** The replies to all commands that concern such a node, each between its marks. */
async function fullconfig(asked: Asked): Promise<Reply> {
  const kind = asked.node.isVirtual ? "V" : "P";
  let text = "";
  for (const command of tmcdCommands) {
    if (command.config !== "A" && command.config !== kind) continue;
    if (whyNot(command, asked.node, asked.route) !== undefined) continue;
    const request = { ...asked.request, command };
    const reply = await handlers[command.name]({ ...asked, request });
    text += formatPart(command.name, typeof reply === "string" ? reply : "");
  }
  return text;
}
