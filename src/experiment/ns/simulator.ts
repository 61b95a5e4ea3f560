// SPDX-License-Identifier: MIT
// The methods of the simulator and of topographies. [EMULAB-NS 6.1]

import type { Routing } from "../model.ts";
import { TclError } from "../tcl/error.ts";
import { parseList } from "../tcl/list.ts";
import { type NsContext, NsFault } from "./context.ts";
import { createPath } from "./create-object.ts";
import {
  addEventsAt,
  addMembers,
  createCatchingSequence,
  createGroup,
  createSequence,
  createTimeline,
} from "./events.ts";
import { createLink, linkBandwidth, linkBetween, linkDelay, memberOf } from "./link.ts";
import { type Call, type MethodTable, method, word } from "./method.ts";
import { createNode } from "./node.ts";
import type {
  LinkHandle,
  LinkObject,
  MemberObject,
  NodeObject,
  SimulatorObject,
  TopographyObject,
} from "./objects.ts";
import { finishRun } from "./run.ts";
import { attachAgent, connectAgents } from "./traffic.ts";

const many = Number.POSITIVE_INFINITY;
type SimulatorCall = Call<SimulatorObject>;

function node({ context, site, argv }: SimulatorCall): string {
  if (argv.length > 2) {
    context.warn(site, "NS_UNSUPPORTED", "node takes no arguments here", { word: 2 });
  }
  return createNode(context, site, false, context.topography).name;
}

function needNode(call: SimulatorCall, index: number): NodeObject {
  const found = call.context.find(word(call.argv, index), ["node"]);
  if (found !== undefined) return found;
  throw hard(call.context.notA(word(call.argv, 1), word(call.argv, index), index, "a node"));
}

/** A constructor that fails gives no object, so what follows must not be run with it. */
function hard(fault: TclError): TclError {
  return new TclError(fault.code, fault.message, fault.details);
}

function asConstructor<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof NsFault ? hard(error) : error;
  }
}

const queueTypes = ["DropTail", "RED", "GRED"];

function duplexLink(call: SimulatorCall): string {
  const { context, site, argv } = call;
  const nodes = [needNode(call, 2), needNode(call, 3)];
  const kbps = soft(call, 100_000, () => linkBandwidth(context, word(argv, 4), 4));
  const delayMs = soft(call, 0, () => linkDelay(context, word(argv, 5), 5, site));
  let queueType = word(argv, 6);
  if (!queueTypes.includes(queueType)) {
    context.warn(site, "NS_UNSUPPORTED", `there is no queue type ${queueType}; DropTail is used`, {
      word: 6,
      hint: "Use DropTail, RED or GRED.",
    });
    queueType = "DropTail";
  }
  return createLink(context, site, { isLan: false, nodes, kbps, delayMs, queueType }).name;
}

/** Reads a value; a fault is reported and `fallback` used, so that the link exists. */
function soft<T>({ context, site }: SimulatorCall, fallback: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof NsFault)) throw error;
    context.report(site, error.code, error.message, error.details);
    return fallback;
  }
}

function makeLan(call: SimulatorCall, isCloud: boolean): string {
  const { context, site, argv } = call;
  const nodes: NodeObject[] = [];
  for (const name of word(argv, 2).split(/\s+/)) {
    if (name === "") continue;
    const found = context.find(name, ["node"]);
    if (found === undefined) {
      const fault = context.notA(word(argv, 1), name, 2, "a node");
      throw new TclError(fault.code, fault.message, { ...fault.details, within: name });
    }
    nodes.push(found);
  }
  const kbps = soft(call, 100_000, () => linkBandwidth(context, word(argv, 3), 3));
  const delayMs = soft(call, 0, () => linkDelay(context, word(argv, 4), 4, site));
  if (context.options.compat && delayMs % 2 === 1) {
    const message = `a LAN delay of ${delayMs} ms is odd: half of it is not a whole number`;
    context.warn(site, "NS_ODD_DELAY", message, { word: 4 });
  }
  const plan = { isLan: true, nodes, kbps, delayMs, queueType: "DropTail" };
  const lan = createLink(context, site, plan);
  if (isCloud) addCloudEvents(context, lan);
  return lan.name;
}

/** A cloud is cleared and created by events in the first second. */
function addCloudEvents(context: NsContext, lan: LinkObject): void {
  lan.mustDelay = true;
  context.clouds.push(lan);
}

function handle(
  call: SimulatorCall,
  link: LinkObject | undefined,
  member: MemberObject | undefined,
  what: string,
): string {
  const { context, site, argv } = call;
  if (link === undefined || member === undefined) {
    throw new TclError("NS_NO_LINK", `[${word(argv, 1)}] ${what}`, { word: 2 });
  }
  const object: LinkHandle = {
    kind: "handle",
    name: context.nextClassName("handle"),
    isNamed: false,
    offset: context.offsetOf(site),
    link,
    member,
  };
  return context.add(object).name;
}

function linkHandle(call: SimulatorCall): string {
  const a = needNode(call, 2);
  const b = needNode(call, 3);
  const link = linkBetween(a, b);
  const member = link === undefined ? undefined : memberOf(link, a);
  return handle(call, link, member, `no link between ${a.name} and ${b.name}`);
}

function lanHandle(call: SimulatorCall): string {
  const lan = call.context.find(word(call.argv, 2), ["link"]);
  if (lan === undefined) {
    throw hard(call.context.notA("lanlink", word(call.argv, 2), 2, "a LAN"));
  }
  const member = memberOf(lan, needNode(call, 3));
  return handle(call, lan, member, `${word(call.argv, 3)} is not on ${lan.name}`);
}

function makePath({ context, site, argv }: SimulatorCall): string {
  return createPath(context, site, word(argv, 2)).name;
}

/** `event-sequence ?body? ?word catchBody?`. [EMULAB-NS 8] */
function eventSequence({ context, site, argv }: SimulatorCall): string {
  if (argv.length <= 3) return createSequence(context, site, word(argv, 2), 2).name;
  if (context.options.compat) {
    throw new TclError("NS_CATCH", "a sequence with a catch body cannot be parsed", {
      word: 3,
      hint: "Without --compat it runs the second body when a step of the first one fails.",
    });
  }
  context.differs(site, "refuses a sequence with a catch body", { word: 3 });
  return createCatchingSequence(context, site, argv).name;
}

function eventGroup({ context, site, argv }: SimulatorCall): string {
  const group = createGroup(context, site);
  addMembers(context, site, group, parseList(word(argv, 2)), 2);
  return group.name;
}

function attach({ context, argv }: SimulatorCall): string {
  const node = context.find(word(argv, 2), ["node"]);
  if (node === undefined) throw context.notA("attach-agent", word(argv, 2), 2, "a node");
  const agent = context.find(word(argv, 3), ["agent"]);
  if (agent === undefined) throw context.notA("attach-agent", word(argv, 3), 3, "an Agent");
  attachAgent(node, agent);
  return "";
}

function connect({ context, argv }: SimulatorCall): string {
  const node = context.find(word(argv, 2), ["node"]);
  const terminal = context.find(word(argv, 3), ["console"]);
  if (node !== undefined && terminal !== undefined) {
    context.settings.tunnels.push({ node: node.name, console: terminal.name });
    return "";
  }
  const [source, sink] = [2, 3].map((index) => {
    const agent = context.find(word(argv, index), ["agent"]);
    if (agent === undefined) throw context.notA("connect", word(argv, index), index, "an Agent");
    return agent;
  });
  if (source !== undefined && sink !== undefined) connectAgents(source, sink);
  return "";
}

const routers: ReadonlyMap<string, Routing> = new Map<string, Routing>([
  ["Session", "session"],
  ["ospf", "session"],
  ["Manual", "manual"],
  ["Static", "static"],
  ["Static-ddijk", "static-ddijk"],
  ["Static-old", "static-old"],
]);

function rtproto({ context, site, argv }: SimulatorCall): string {
  const router = routers.get(word(argv, 2));
  if (router === undefined) {
    context.warn(site, "NS_UNSUPPORTED", `there is no routing ${word(argv, 2)} here`, {
      word: 2,
      hint: `Use ${[...routers.keys()].join(", ")}.`,
    });
  } else context.settings.routing = router;
  return "";
}

function nodeConfig({ context, site, argv }: SimulatorCall): string {
  for (let i = 2; i < argv.length; i += 2) {
    if (word(argv, i) !== "-topography") {
      const message = `node-config ${word(argv, i)} is not supported and is ignored`;
      context.warn(site, "NS_UNSUPPORTED", message, { word: i });
      continue;
    }
    const topography = context.find(word(argv, i + 1), ["topography"]);
    if (topography === undefined) {
      throw context.notA("node-config", word(argv, i + 1), i + 1, "a topography");
    }
    context.topography = topography;
  }
  return "";
}

function defineParameter({ context, argv }: SimulatorCall): string {
  const [, , name = "", value = "", description = ""] = argv;
  const { interp } = context;
  interp.atLevel(0, () => {
    if (!interp.exists(name)) interp.set(name, value);
  });
  const current = interp.atLevel(0, () => interp.get(name));
  context.settings.parameters.push({ name, value: current, description });
  return "";
}

function run({ context }: SimulatorCall): string {
  if (context.hasRun) {
    throw new NsFault("NS_RUN_TWICE", "The Simulator 'run' statement can only be run once.", {
      word: 1,
      hint: "Delete one of them; statements after the first one have no effect.",
    });
  }
  context.hasRun = true;
  finishRun(context);
  return "";
}

function cost({ context, argv }: SimulatorCall): string {
  const [a, b] = [2, 3].map((index) => {
    const found = context.find(word(argv, index), ["node"]);
    if (found === undefined) throw context.notA("cost", word(argv, index), index, "a node");
    return found;
  });
  const link = a === undefined || b === undefined ? undefined : linkBetween(a, b);
  if (link === undefined) {
    throw new NsFault("NS_NO_LINK", "[cost] there is no link between these nodes", { word: 2 });
  }
  link.columns.set("cost", word(argv, 4));
  return "";
}

/**
 * Nodes and links of the old system's simulator. Here they are nodes and links like all others;
 * the rows of the old system carry generated code, which is not known.
 */
function makeSimulated({ context, site, argv }: SimulatorCall): string {
  const { interp } = context;
  const before = context.isSimulated;
  context.isSimulated = true;
  try {
    interp.run(interp.scriptOf(site, 2, word(argv, 2)));
  } finally {
    context.isSimulated = before;
  }
  if (context.options.compat) {
    throw new NsFault("NS_NO_ROWS", "the rows of simulated nodes are not known", {
      word: 1,
      hint: "Without --compat they are nodes like all others.",
    });
  }
  const message = "simulated nodes and links run as ordinary ones; events among them are ignored";
  context.warn(site, "NS_UNSUPPORTED", message, { word: 1 });
  return "";
}

/** Methods of the simulator. */
export const simulatorMethods: MethodTable<SimulatorObject> = new Map([
  method<SimulatorObject>("node", "", 0, many, node),
  method<SimulatorObject>(
    "bridge",
    "",
    0,
    many,
    ({ context, site }) => createNode(context, site, true, undefined).name,
  ),
  method<SimulatorObject>("duplex-link", "node1 node2 bandwidth delay queueType", 5, many, (call) =>
    asConstructor(() => duplexLink(call)),
  ),
  method<SimulatorObject>("make-lan", "nodes bandwidth delay", 3, 3, (call) =>
    makeLan(call, false),
  ),
  method<SimulatorObject>("make-cloud", "nodes bandwidth delay", 3, 3, (call) =>
    makeLan(call, true),
  ),
  method<SimulatorObject>("make-path", "links", 1, 1, makePath),
  method<SimulatorObject>("link", "node1 node2", 2, 2, linkHandle),
  method<SimulatorObject>("lanlink", "lan node", 2, 2, lanHandle),
  method<SimulatorObject>("at", 'time "event ?; event ...?"', 2, 2, ({ context, site, argv }) =>
    context.isSimulated ? "" : addEventsAt(context, site, argv, context.events),
  ),
  method<SimulatorObject>("event-sequence", "?{events}?", 0, 3, eventSequence),
  method<SimulatorObject>(
    "event-timeline",
    "",
    0,
    1,
    ({ context, site }) => createTimeline(context, site).name,
  ),
  method<SimulatorObject>("event-group", "?objects?", 0, 1, eventGroup),
  method<SimulatorObject>("attach-agent", "node agent", 2, 2, attach),
  method<SimulatorObject>("connect", "source sink", 2, 2, connect),
  method<SimulatorObject>("rtproto", "type", 1, many, rtproto),
  method<SimulatorObject>("cost", "node1 node2 cost", 3, 3, cost),
  method<SimulatorObject>("node-config", "?-option value ...?", 0, many, nodeConfig),
  method<SimulatorObject>(
    "define-template-parameter",
    "name value ?description?",
    2,
    3,
    defineParameter,
  ),
  method<SimulatorObject>("make-simulated", "script", 1, 1, makeSimulated),
  method<SimulatorObject>("run", "", 0, 0, run),
]);

/** Methods of topographies. */
export const topographyMethods: MethodTable<TopographyObject> = new Map([
  method<TopographyObject>("load_area", "name", 1, 1, ({ context, self, argv }) => {
    const area = word(argv, 2);
    if (!context.options.catalogue.areas.has(area)) {
      const known = [...context.options.catalogue.areas].join(", ");
      throw new NsFault("NS_AREA", `[load_area] ${area} is not a known area`, {
        word: 2,
        hint: `Known areas: ${known}.`,
      });
    }
    self.area = area;
    return "";
  }),
]);
