// SPDX-License-Identifier: MIT
// Nodes: making them, their methods, their addresses. [EMULAB-NS 6.2]

import { linkMembersMax } from "../limits.ts";
import { TclLimitError } from "../tcl/error.ts";
import type { Command } from "../tcl/script.ts";
import { type NsContext, NsFault } from "./context.ts";
import { type Call, type MethodTable, method, word } from "./method.ts";
import type {
  ConsoleObject,
  LinkHandle,
  LinkObject,
  NodeObject,
  TopographyObject,
} from "./objects.ts";
import { createProgramAgent, setStartCommand } from "./program.ts";
import { isAddress } from "./units.ts";

/** Makes a node and its console. */
export function createNode(
  context: NsContext,
  site: Command,
  isBridge: boolean,
  topography: TopographyObject | undefined,
): NodeObject {
  const { catalogue } = context.options;
  const offset = context.offsetOf(site);
  const node: NodeObject = {
    kind: "node",
    name: context.nextName("tbnode-n"),
    isNamed: false,
    offset,
    isBridge,
    type: topography === undefined ? catalogue.defaultType : catalogue.mobileType,
    osName: "",
    commandLine: "",
    rpms: "",
    startup: "",
    failureAction: "fatal",
    fixed: "",
    ports: [],
    agents: [],
    nextAgentPort: 5001,
    desires: new Map(),
    extra: new Map(isBridge ? [["role", "bridge"]] : []),
    topography,
    location: new Map(),
    routes: [],
  };
  context.add(node);
  const terminal: ConsoleObject = {
    kind: "console",
    name: `${node.name}-console`,
    isNamed: true,
    offset,
    node,
  };
  context.add(terminal);
  return node;
}

/** Takes a new interface of the node. @throws TclLimitError beyond the limit of link ends */
export function attachPort(context: NsContext, node: NodeObject, link: LinkObject): number {
  context.linkMembers += 1;
  if (context.linkMembers > linkMembersMax) {
    throw new TclLimitError("NS_MEMBERS", `more than ${linkMembersMax} link ends`);
  }
  node.ports.push({ link, address: "" });
  return node.ports.length - 1;
}

/** Sets the address of a port. @throws NsFault for a text that is no address */
export function setAddress(
  context: NsContext,
  node: NodeObject,
  port: number,
  address: string,
  index: number,
): void {
  if (!isAddress(address, context.options.compat)) {
    throw new NsFault("NS_ADDRESS", `${address} is not a valid IP address`, {
      word: index,
      hint: "Write four numbers from 0 to 255, such as 10.1.1.2.",
    });
  }
  const slot = node.ports[port];
  if (slot !== undefined) slot.address = address;
}

function ip({ context, self, argv }: Call<NodeObject>): string {
  const port = Number(word(argv, 2));
  if (!Number.isInteger(port) || self.ports[port] === undefined) {
    throw new NsFault("NS_PORT", `${self.name} has no port ${word(argv, 2)}`, { word: 2 });
  }
  if (argv.length === 3) return self.ports[port].address;
  setAddress(context, self, port, word(argv, 3), 3);
  return "";
}

function routeTarget(call: Call<NodeObject>): NodeObject | LinkObject | LinkHandle {
  const { context, argv, self } = call;
  const target = context.find(word(argv, 2), ["node", "link", "handle"]);
  if (target === undefined) {
    throw context.notA("add-route", word(argv, 2), 2, "a node, link or LAN");
  }
  if (target.kind === "node" && target.ports.length !== 1) {
    const how = target.ports.length === 0 ? "is not connected" : "has more than one link";
    throw new NsFault("NS_ROUTE", `[add-route] ${target.name} ${how}`, {
      word: 2,
      hint: "Name the link of the destination instead: [$ns link $a $b].",
    });
  }
  if (self.routes.some(({ dst }) => dst === target)) {
    throw new NsFault(
      "NS_ROUTE",
      `[add-route] ${self.name} already has a route to ${target.name}`,
      {
        word: 2,
      },
    );
  }
  return target;
}

function addRoute(call: Call<NodeObject>): string {
  const { context, argv, self, site } = call;
  const dst = routeTarget(call);
  const nexthop = context.find(word(argv, 3), ["node"]);
  if (nexthop === undefined) throw context.notA("add-route", word(argv, 3), 3, "a node");
  const shares = nexthop.ports.some((port) => self.ports.some((own) => own.link === port.link));
  if (!shares) {
    const message = `[add-route] ${nexthop.name} is not directly connected to ${self.name}`;
    throw new NsFault("NS_ROUTE", message, { word: 3 });
  }
  self.routes.push({ dst, nexthop, offset: context.offsetOf(site) });
  return "";
}

function addDesire({ self, argv }: Call<NodeObject>): string {
  const desire = word(argv, 2);
  if (self.desires.has(desire)) {
    const message = `[add-desire] Desire ${desire} on ${self.name} already exists!`;
    throw new NsFault("NS_DESIRE", message, { word: 2 });
  }
  self.desires.set(desire, word(argv, 3));
  return "";
}

function set({ context, self, argv, site }: Call<NodeObject>): string {
  const field = word(argv, 2);
  if (argv.length === 3) return self.location.get(field) ?? "";
  if (field !== "X_" && field !== "Y_" && field !== "orientation_") {
    context.warn(site, "NS_UNSUPPORTED", `nodes have no field ${field} here`, { word: 2 });
    return "";
  }
  self.location.set(field, word(argv, 3));
  return "";
}

/** Methods of nodes. */
export const nodeMethods: MethodTable<NodeObject> = new Map([
  method<NodeObject>("ip", "port ?address?", 1, 2, ip),
  method<NodeObject>("add-route", "destination nexthop", 2, 2, addRoute),
  method<NodeObject>("add-desire", "name weight", 2, 2, addDesire),
  method<NodeObject>(
    "program-agent",
    "?-option value ...?",
    0,
    8,
    ({ context, self, argv, site }) => createProgramAgent(context, site, self, argv),
  ),
  method<NodeObject>("console", "", 0, 0, ({ self }) => `${self.name}-console`),
  method<NodeObject>("topography", "topography", 1, 1, ({ context, self, argv }) => {
    const topography = context.find(word(argv, 2), ["topography"]);
    if (topography === undefined) {
      throw context.notA("topography", word(argv, 2), 2, "a topography");
    }
    self.topography = topography;
    self.type = context.options.catalogue.mobileType;
    return "";
  }),
  method<NodeObject>("set", "field ?value?", 1, 2, set),
  method<NodeObject>("start-command", "command", 1, 1, ({ context, self, argv, site }) =>
    setStartCommand(context, site, self, word(argv, 2)),
  ),
]);
