// SPDX-License-Identifier: MIT
// Links and LANs: making them, their members, queues and methods. [EMULAB-NS 6.1, 6.3, 6.4]

import { formatDouble } from "../tcl/number.ts";
import type { Command } from "../tcl/script.ts";
import { type NsContext, NsFault } from "./context.ts";
import { type Call, type MethodTable, method, quantity, word } from "./method.ts";
import { attachPort } from "./node.ts";
import type {
  LinkHandle,
  LinkObject,
  MemberObject,
  NodeObject,
  QueueObject,
  Shape,
  TraceSettings,
} from "./objects.ts";
import { parseBandwidth, parseDelay, parseLoss } from "./units.ts";

/** Fields of a queue: name in files, column in tables, value at the start. */
export const queueFields: readonly (readonly [field: string, column: string, preset: string])[] = [
  ["limit_", "q_limit", "50"],
  ["maxthresh_", "q_maxthresh", "15"],
  ["thresh_", "q_minthresh", "5"],
  ["q_weight_", "q_weight", "0.002"],
  ["linterm_", "q_linterm", "10"],
  ["queue-in-bytes_", "q_qinbytes", "0"],
  ["bytes_", "q_bytes", "0"],
  ["mean_pktsize_", "q_meanpsize", "500"],
  ["wait_", "q_wait", "1"],
  ["setbit_", "q_setbit", "0"],
  ["drop-tail_", "q_droptail", "1"],
  ["red_", "q_red", "0"],
  ["gentle_", "q_gentle", "0"],
];

const booleanFields = new Set([
  "queue-in-bytes_",
  "bytes_",
  "wait_",
  "setbit_",
  "drop-tail_",
  "red_",
  "gentle_",
]);

/** Kilobits per second of a link, within the range of the site. @throws NsFault */
export function linkBandwidth(context: NsContext, text: string, index: number): number {
  const kbps = quantity(parseBandwidth(text, context.options.compat), "NS_BANDWIDTH", index, text);
  const { bandwidthMinKbps, bandwidthMaxKbps } = context.options.catalogue;
  if (text.trim() !== "*" && kbps < bandwidthMinKbps) {
    throw new NsFault("NS_BANDWIDTH", `Bandwidth of ${kbps} Kbs is too low.`, {
      word: index,
      hint: `The least is ${bandwidthMinKbps} kb; a number without a unit is bits a second.`,
    });
  }
  if (kbps > bandwidthMaxKbps) {
    const message = `Bandwidth requested (${kbps}) exceeds maximum of ${bandwidthMaxKbps} kbps!`;
    throw new NsFault("NS_BANDWIDTH", message, { word: index });
  }
  return kbps;
}

/** Milliseconds of delay, 0 or at least the least of the site. @throws NsFault */
export function linkDelay(context: NsContext, text: string, index: number, site?: Command): number {
  const ms = quantity(parseDelay(text, context.options.compat), "NS_DELAY", index, text);
  const least = context.options.catalogue.delayMinMs;
  if (site !== undefined && /[0-9.]ns$/.test(text)) {
    context.differs(site, "reads ns as a thousandth of a millisecond", { word: index });
  }
  const isZero = Number.parseFloat(text) === 0;
  if (!isZero && ms < least) {
    const message = `The delay of ${ms}ms is invalid, it must be either 0 or at least ${least}ms.`;
    throw new NsFault("NS_DELAY", message, {
      word: index,
      hint: `"${text}" reads as ${ms} ms. Use 0ms or ${least}ms and more.`,
    });
  }
  if (site !== undefined && ms >= longDelayMs && /^[0-9.]+$/.test(text)) {
    const message = `a delay of ${text} is ${text} seconds: a number without a unit`;
    const hint = `Write ${text}ms for milliseconds, or ${text}s if that is meant.`;
    context.warn(site, "NS_DELAY_SECONDS", message, { word: index, hint });
  }
  return ms;
}

/** A delay from which on a number without a unit is taken for a slip. */
const longDelayMs = 1_000;

/** Half a delay as the tables write it: 25.0, 12.5. */
export function halfDelay(ms: number): string {
  return formatDouble(ms / 2);
}

function createShape(bandwidth: string, delay: string): Shape {
  return { delay, bandwidth, backfill: "0", estimate: undefined, loss: "0" };
}

/** Fields of a queue that nothing was set of. */
export const queuePresets: ReadonlyMap<string, string> = new Map(
  queueFields.map(([field, , preset]) => [field, preset]),
);
const fieldsOf: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  ["RED", new Map([...queuePresets, ["red_", "1"]])],
  ["GRED", new Map([...queuePresets, ["red_", "1"], ["gentle_", "1"]])],
]);

function createQueue(context: NsContext, site: Command, type: string): QueueObject {
  const fields = fieldsOf.get(type) ?? queuePresets;
  return context.add({
    kind: "queue",
    name: context.nextClassName("q"),
    isNamed: false,
    offset: context.offsetOf(site),
    link: undefined,
    node: undefined,
    fields,
  });
}

/** What a link or LAN is made from. */
export interface LinkPlan {
  readonly isLan: boolean;
  readonly nodes: readonly NodeObject[];
  readonly kbps: number;
  readonly delayMs: number;
  readonly queueType: string;
}

/** Makes a link or LAN with a port, shapes and a queue for each node. */
export function createLink(context: NsContext, site: Command, plan: LinkPlan): LinkObject {
  const link: LinkObject = {
    kind: "link",
    name: context.nextName(plan.isLan ? "tblan-lan" : "tblink-l"),
    isNamed: false,
    offset: context.offsetOf(site),
    isLan: plan.isLan,
    members: [],
    netmask: "255.255.255.0",
    mustDelay: plan.queueType === "RED" || plan.queueType === "GRED",
    failureAction: "fatal",
    columns: new Map(),
    trace: undefined,
    settings: new Map(),
  };
  context.add(link);
  for (const node of plan.nodes) {
    const port = attachPort(context, node, link);
    const queue = createQueue(context, site, plan.queueType);
    queue.link = link;
    queue.node = node;
    const delay = halfDelay(plan.delayMs);
    const toLink = createShape(`${plan.kbps}`, delay);
    const fromLink = createShape(`${plan.kbps}`, delay);
    link.members.push({ node, port, toLink, fromLink, queue, extra: new Map() });
  }
  return link;
}

/** The first member of a link on a node. */
export function memberOf(link: LinkObject, node: NodeObject): MemberObject | undefined {
  return link.members.find((member) => member.node === node);
}

/** The last point-to-point link between two nodes. */
export function linkBetween(a: NodeObject, b: NodeObject): LinkObject | undefined {
  return a.ports.findLast(
    ({ link }) => !link.isLan && link.members.some((member) => member.node === b),
  )?.link;
}

function traceOf(link: LinkObject): TraceSettings {
  link.trace ??= { type: "header", expression: "", snaplen: "0", endnode: "0", database: "0" };
  return link.trace;
}

function traceType(argv: readonly string[], index: number): string {
  const type = argv.length > index ? word(argv, index) : "header";
  if (["header", "packet", "monitor"].includes(type)) return type;
  throw new NsFault("NS_TRACE", `[trace] ${type} is not a kind of trace`, {
    word: index,
    hint: "Use header, packet or monitor.",
  });
}

function trace({ self, argv }: Call<LinkObject>): string {
  Object.assign(traceOf(self), { type: traceType(argv, 2), expression: word(argv, 3) });
  return "";
}

function traceField(field: "snaplen" | "endnode" | "database") {
  return ({ context, self, argv }: Call<LinkObject>): string => {
    const value = word(argv, 2);
    if (!/^[0-9]+$/.test(value) || (field !== "snaplen" && Number(value) > 1)) {
      const range = field === "snaplen" ? "a number of bytes" : "0 or 1";
      throw new NsFault("NS_TRACE", `[${argv[1]}] ${value} must be ${range}`, { word: 2 });
    }
    traceOf(self)[field] = value;
    // What is traced into a database needs one of the experiment's own.
    if (field === "database" && value === "1") context.settings.set("dpdb", "1");
    return "";
  };
}

/** `SetTraceParams node ?type? ?snaplen? ?expression?`: for one member alone. */
function memberTrace(call: Call<LinkObject>): string {
  const { argv, self } = call;
  const shared = traceOf(self);
  memberAt(call, 2).trace = {
    ...shared,
    type: traceType(argv, 3),
    snaplen: argv.length > 4 ? word(argv, 4) : shared.snaplen,
    expression: word(argv, 5),
  };
  return "";
}

/** `SetDelayParams node delay bandwidth loss`: what a bridge does to one of its sides. */
function bridgeShape(call: Call<LinkObject>): string {
  const { context, argv } = call;
  const member = memberAt(call, 2);
  if (!member.node.isBridge) throw context.notA("SetDelayParams", member.node.name, 2, "a bridge");
  const delay = `${linkDelay(context, word(argv, 3), 3)}`;
  const bandwidth = `${linkBandwidth(context, word(argv, 4), 4)}`;
  const loss = word(argv, 5);
  quantity(parseLoss(loss), "NS_LOSS", 5, loss);
  for (const shape of [member.toLink, member.fromLink]) {
    Object.assign(shape, { delay, bandwidth, loss });
  }
  return "";
}

function implementedBy({ context, self, argv }: Call<LinkObject>): string {
  const by = context.find(word(argv, 2), ["path", "link"]);
  if (by === undefined) throw context.notA("implemented_by", word(argv, 2), 2, "a path or link");
  self.columns.set(`implemented_by_${by.kind}`, by.name);
  return "";
}

function set({ context, self, argv, site }: Call<LinkObject>): string {
  if (word(argv, 2) === "netmask") {
    if (argv.length > 3) self.netmask = word(argv, 3);
    return self.netmask;
  }
  const message = `links have no field ${word(argv, 2)} here`;
  context.warn(site, "NS_UNSUPPORTED", message, { word: 2 });
  return "";
}

function memberAt({ context, self, argv }: Call<LinkObject>, index: number): MemberObject {
  const node = context.find(word(argv, index), ["node"]);
  const member = node === undefined ? undefined : memberOf(self, node);
  if (member !== undefined) return member;
  throw new NsFault("NS_NOT_MEMBER", `[${argv[1]}] ${argv[index]} is not on ${self.name}`, {
    word: index,
  });
}

function queueOf(call: Call<LinkObject>): string {
  return memberAt(call, 2).queue.name;
}

/** Methods of links and LANs. */
export const linkMethods: MethodTable<LinkObject> = new Map([
  method<LinkObject>("trace", "?header|packet|monitor? ?expression?", 0, 2, trace),
  method<LinkObject>("trace_type", "type", 1, 1, trace),
  method<LinkObject>("trace_snaplen", "bytes", 1, 1, traceField("snaplen")),
  method<LinkObject>("trace_endnode", "0|1", 1, 1, traceField("endnode")),
  method<LinkObject>("trace_mysql", "0|1", 1, 1, traceField("database")),
  method<LinkObject>("trace_expr", "expression", 1, 1, ({ self, argv }) => {
    traceOf(self).expression = word(argv, 2);
    return "";
  }),
  method<LinkObject>("cost", "cost", 1, 1, ({ self, argv }) => {
    self.columns.set("cost", word(argv, 2));
    return "";
  }),
  method<LinkObject>("queue", "node", 1, 1, queueOf),
  method<LinkObject>("Queue", "node", 1, 1, queueOf),
  method<LinkObject>("set", "field ?value?", 1, 2, set),
  method<LinkObject>("SetTraceParams", "node ?type snaplen expression?", 1, 4, memberTrace),
  method<LinkObject>("SetDelayParams", "node delay bandwidth loss", 4, 4, bridgeShape),
  method<LinkObject>("implemented_by", "pathOrLink", 1, 1, implementedBy),
  method<LinkObject>("enable_openflow", "controller", 1, 1, ({ self, argv }) => {
    self.columns.set("ofenabled", "1");
    self.columns.set("ofcontroller", word(argv, 2));
    return "";
  }),
]);

/** Methods of `$ns link a b` and `$ns lanlink lan node`. */
export const handleMethods: MethodTable<LinkHandle> = new Map([
  method<LinkHandle>("queue", "", 0, 0, ({ self }) => self.member.queue.name),
]);

function setQueueField({ context, self, argv, site }: Call<QueueObject>): string {
  const field = word(argv, 2);
  if (!self.fields.has(field)) {
    context.warn(site, "NS_UNSUPPORTED", `queues have no field ${field} here`, { word: 2 });
    return "";
  }
  if (argv.length === 3) return self.fields.get(field) ?? "";
  let value = word(argv, 3);
  if (booleanFields.has(field)) value = value === "true" ? "1" : value === "false" ? "0" : value;
  if (!/^[0-9]*\.?[0-9]+$/.test(value)) {
    throw new NsFault("NS_FIELD", `${value} is not a value for ${field}`, {
      word: 3,
      hint: "Queue fields are numbers, or true and false.",
    });
  }
  self.fields = new Map(self.fields).set(field, value);
  return value;
}

/** Methods of queues. */
export const queueMethods: MethodTable<QueueObject> = new Map([
  method<QueueObject>("set", "field ?value?", 1, 2, setQueueField),
]);
