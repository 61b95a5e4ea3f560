// SPDX-License-Identifier: MIT
// The fields of an experiment file, in one table: the validator (check.ts), the published JSON
// Schema (schema.ts) and so the completion in editors all come from here.
// What the table cannot say, such as which names exist, is checked where the model is made.

import { traceBytesMax } from "../limits.ts";
import type { Routing } from "../model.ts";
import { type quantityPatterns, queueLengthPattern, queueMeanPattern } from "../quantities.ts";
import { barrierMembersMax, instancesMax, linkCostMax, repeatMax } from "./limits.ts";
import { queueKinds } from "./queues.ts";
import { traceKinds } from "./traces.ts";

/** In the order in which they are told to people. */
export const routings: readonly Routing[] = [
  ...(["static", "session", "manual", "static-ddijk", "static-old"] as const),
];

/** What a value that is no list and no map may be. */
export type ScalarType =
  | TextType
  | { readonly kind: "quantity"; readonly quantity: keyof typeof quantityPatterns }
  | { readonly kind: "integer"; readonly min: number; readonly max: number }
  | { readonly kind: "boolean" }
  | { readonly kind: "choice"; readonly values: readonly string[] }
  /** Text, number or boolean, taken as it is written. */
  | { readonly kind: "scalar" };

export interface TextType {
  readonly kind: "text";
  readonly what: string;
  readonly pattern?: string;
  /** What to write where it is no text, and quotes alone do not make it right. */
  readonly kindHint?: string;
}

/** What may stand as a value. */
export interface ListType {
  readonly kind: "list";
  readonly of: FieldType;
  readonly min: number;
  readonly max?: number;
  /** What to write where there are more or fewer. */
  readonly lengthHint?: string;
}

export type FieldType =
  | ScalarType
  | ListType
  /** Names chosen by the file, and what each stands for. */
  | { readonly kind: "map"; readonly of: FieldType; readonly what: string; readonly key: string }
  | RecordType
  /** Told apart by being a list, a map or neither; texts are tried in turn. */
  | { readonly kind: "either"; readonly options: readonly FieldType[] };

/** A map with the keys of this table. */
export interface RecordType {
  readonly kind: "record";
  /** Name of the definition in the schema, and of the thing for people. */
  readonly name: string;
  readonly about: string;
  /** May be left empty: all of its fields are optional. */
  readonly mayBeEmpty: boolean;
  readonly fields: Readonly<Record<string, Field>>;
}

export interface Field {
  readonly type: FieldType;
  readonly about: string;
  readonly required?: true;
}

/** Names of objects: what an event or a reference can name without quotes. */
export const objectNamePattern = "^[A-Za-z0-9_.:-]{1,255}$";
/** Names of projects and experiments are directories, and parts of what nodes are told. */
const plainNamePattern = "^[-A-Za-z0-9_]{1,255}$";
/** Names of nodes and links are parts of host names. */
export const hostNamePattern = "^[-0-9A-Za-z]{1,32}$";
/** One node name, or several: `node{0..4}`. */
export const nodeKeyPattern =
  "^[-0-9A-Za-z]{0,32}(?:\\{[0-9]{1,6}\\.\\.[0-9]{1,6}\\}[-0-9A-Za-z]{0,32})?$";
/** A name where it is used: also a group of nodes, or a range of them. */
const referencePattern =
  "^[A-Za-z0-9_.:-]{0,255}(?:\\{[0-9]{1,6}\\.\\.[0-9]{1,6}\\}[A-Za-z0-9_.:-]{0,255})?$";
const variablePattern = "^[A-Za-z_][A-Za-z0-9_]*$";
/** Options are variables of programs; NS files also use other names. */
const optionPattern = "^[^=\\u0000-\\u001f]{1,255}$";
const waitPattern =
  "^(?:barrier )?[A-Za-z0-9_.:-]{1,255}(?: (?:crossed|failed|timeout|cancelled))?$";
/** What TEST_INSTANCE_PARAMS can carry. */
const paramPattern = "^[^=|\\u0000-\\u001f]{1,255}$";
const addressPattern = "^(?:none|[0-9]{1,3}(?:\\.[0-9]{1,3}){3})$";
const oneLine = "^[^\\u0000\\n\\r]*$";
/** Several are one text in tables, with semicolons between. */
const packagePattern = "^[^\\u0000\\n\\r;]+$";
const machinePattern = "^[^\\u0000-\\u0020]{1,255}$";

const duration: FieldType = { kind: "quantity", quantity: "duration" };
const bandwidth: FieldType = { kind: "quantity", quantity: "bandwidth" };
const percentage: FieldType = { kind: "quantity", quantity: "percentage" };
const anyText: FieldType = { kind: "text", what: "text" };
const line: FieldType = { kind: "text", what: "text of one line", pattern: oneLine };
const objectName: FieldType = { kind: "text", what: "a name", pattern: objectNamePattern };
const plainName: FieldType = {
  kind: "text",
  what: "a name of letters, digits, dashes and underscores",
  pattern: plainNamePattern,
};
const hostName: FieldType = { kind: "text", what: "a name", pattern: hostNamePattern };
const address: FieldType = { kind: "text", what: "an address", pattern: addressPattern };
const wait: FieldType = {
  kind: "text",
  what: "a wait such as `barrier start crossed`",
  pattern: waitPattern,
};
const reference: FieldType = { kind: "text", what: "a name", pattern: referencePattern };
const names: FieldType = {
  kind: "either",
  options: [reference, { kind: "list", of: reference, min: 1, max: barrierMembersMax }],
};

function record(
  name: string,
  about: string,
  fields: Readonly<Record<string, Field>>,
  mayBeEmpty = false,
): RecordType {
  return { kind: "record", name, about, mayBeEmpty, fields };
}

const shapeFields: Readonly<Record<string, Field>> = {
  bandwidth: { type: bandwidth, about: "Bandwidth: 56kbps, 100Mbps, 1Gbps, any." },
  delay: { type: duration, about: "Delay: 10ms, 500us." },
  loss: { type: percentage, about: "Loss: 1%." },
  jitter: { type: duration, about: "The delay of each packet is up to so much more or less: 2ms." },
  duplicate: { type: percentage, about: "So many packets come twice: 1%." },
  reorder: { type: percentage, about: "So many packets are not delayed, and overtake: 5%." },
};

const queueLength: FieldType = {
  kind: "text",
  what: "a length such as 50packets or 9000bytes",
  pattern: queueLengthPattern,
};
const queueMean: FieldType = {
  kind: "text",
  what: "a length such as 5packets",
  pattern: queueMeanPattern,
};
const queueFields: Readonly<Record<string, Field>> = {
  limit: { type: queueLength, about: "The most it holds: 50packets, 9000bytes." },
  minThreshold: { type: queueMean, about: "RED: mean length where drops begin: 5packets." },
  maxThreshold: { type: queueMean, about: "RED: mean length where all are dropped: 15packets." },
  averageWeight: { type: percentage, about: "RED: weight of the newest length in the mean: 0.2%." },
  dropOneIn: {
    type: { kind: "integer", min: 1, max: 1_000_000 },
    about: "RED: one of so many is dropped just below maxThreshold.",
  },
};
const queue = record("queue", "a queue", {
  kind: {
    type: { kind: "choice", values: queueKinds },
    about: "How it drops; drop-tail when left out.",
  },
  ...queueFields,
  meanPacketBytes: {
    type: { kind: "integer", min: 1, max: 65_535 },
    about: "RED: size of the packets that would have passed an empty queue.",
  },
});
const queueField: Field = {
  type: { kind: "either", options: [queueLength, queue] },
  about: "The queue of whoever sends: 50packets, 9000bytes, { kind: red }.",
};
const trace = record("trace", "what is written down of packets", {
  kind: {
    type: { kind: "choice", values: traceKinds },
    about: "Headers or whole packets into files, or counts of them; headers when left out.",
  },
  bytes: {
    type: { kind: "integer", min: 1, max: traceBytesMax },
    about: "So much of each packet; what the kind is about when left out.",
  },
  expression: { type: line, about: "Which packets, in the words of tcpdump; all when left out." },
});
const traceField: Field = {
  type: { kind: "either", options: [{ kind: "choice", values: traceKinds }, trace] },
  about: "What is written down of the packets there, each way: headers, packets, counts.",
};
const queueChange = record("queueChange", "new values of a queue", queueFields);

const pipe = record("pipe", "one direction between one node and a link", shapeFields);
const way = record("way", "one direction of a link, from node to node", {
  ...shapeFields,
  queue: queueField,
});
const change = record("change", "new values of a link", {
  ...shapeFields,
  queue: {
    type: { kind: "either", options: [queueLength, queueChange] },
    about: "New values of the queue; its kind stays.",
  },
});

const route = record("route", "a route of a node", {
  to: {
    type: reference,
    about: "A node with one link, a link (its network), or an end of one: LINK-NODE.",
    required: true,
  },
  by: { type: reference, about: "The node beside it that it sends by.", required: true },
});
const archive = record("archive", "an archive to unpack on a node", {
  directory: { type: line, about: "Where it is unpacked, from / on.", required: true },
  file: { type: line, about: "The archive, a path or a URL.", required: true },
});

const nodeFields: Readonly<Record<string, Field>> = {
  os: { type: anyText, about: "Name of the operating system image." },
  hardware: { type: anyText, about: "Hardware type; pc when left out." },
  onFailure: {
    type: { kind: "choice", values: ["fatal", "nonfatal", "ignore"] },
    about: "What a node that does not come up means for the run; fatal when left out.",
  },
  repeat: {
    type: { kind: "integer", min: 1, max: repeatMax },
    about: "Makes this many nodes, numbered from 0; the name without a number means all of them.",
  },
  startCommand: {
    type: line,
    about: "A command run at time 0, whose exit status is the start status of the node.",
  },
  routes: {
    type: { kind: "list", of: route, min: 1 },
    about: "Routes besides those that are computed.",
  },
  archives: {
    type: { kind: "list", of: archive, min: 1 },
    about: "Archives that are unpacked on it before its programs start.",
  },
  packages: {
    type: {
      ...{ kind: "list", min: 1 },
      of: { kind: "text", what: "a package", pattern: packagePattern },
    },
    about: "Packages to install, paths or URLs; a run installs none, and says so.",
  },
  machine: {
    type: { kind: "text", what: "the name of a machine", pattern: machinePattern },
    about: "The machine that it is on; any when left out.",
  },
};

const node = record("node", "a node, or several", nodeFields, true);
const listedNode = record("listedNode", "a node of a list", {
  name: {
    type: { kind: "text", what: "a name", pattern: nodeKeyPattern },
    about: "Name of the node, or of several: node{0..4}.",
    required: true,
  },
  ...nodeFields,
});

const member = record("member", "one end of a link or LAN", {
  node: { type: reference, about: "Name of the node.", required: true },
  address: { type: address, about: "Address of this end; chosen when left out; or none." },
  port: {
    type: { kind: "integer", min: 0, max: 65_535 },
    about: "Interface number at the node; counted in order of links when left out.",
  },
  to: { type: pipe, about: "From this node into the link, as it stands." },
  from: { type: pipe, about: "From the link to this node, as it stands." },
  queue: queueField,
  trace: traceField,
});
const memberOrName: FieldType = { kind: "either", options: [reference, member] };

const link = record("link", "a link or LAN", {
  between: {
    type: {
      ...{ kind: "list", of: memberOrName, min: 2, max: 2 },
      lengthHint: "For more nodes than two write lan: [...].",
    },
    about: "The two nodes of a link.",
  },
  lan: {
    type: { kind: "list", of: memberOrName, min: 1 },
    about: "The nodes or groups of nodes of a LAN.",
  },
  ...shapeFields,
  queue: queueField,
  trace: traceField,
  forward: { type: way, about: "From the first node of a link to the second." },
  backward: { type: way, about: "From the second node of a link to the first." },
  netmask: {
    type: { kind: "text", what: "a netmask", pattern: "^[0-9]{1,3}(?:\\.[0-9]{1,3}){3}$" },
    about: "Netmask; 255.255.255.0 when left out.",
  },
  cost: {
    type: { kind: "integer", min: 1, max: linkCostMax },
    about: "What a route over it costs; 1 when left out.",
  },
});

const start = record("start", "what a program waits for", {
  at: { type: duration, about: "Time after the start of the run, or after what it waits for." },
  after: { type: names, about: "Programs that must have ended with their expected exit code." },
  when: { type: wait, about: "A barrier and its outcome: barrier start crossed." },
});

const command: Field = { type: line, about: "What the shell runs.", required: true };
const processFields: Readonly<Record<string, Field>> = {
  expect: {
    type: { kind: "integer", min: 0, max: 255 },
    about: "Expected exit code; 0 if absent.",
  },
  timeout: { type: duration, about: "It is stopped after this time." },
  directory: { type: line, about: "Working directory." },
  environment: {
    type: { kind: "map", of: { kind: "scalar" }, what: "a variable", key: variablePattern },
    about: "Variables for this program.",
  },
  shell: { type: { kind: "choice", values: ["sh", "csh"] }, about: "Reads the command; sh." },
};

const program = record("program", "a command on a node", {
  node: { type: names, about: "Node, or nodes and groups: one program on each.", required: true },
  command,
  start: {
    type: { kind: "either", options: [duration, { kind: "choice", values: ["manual"] }, start] },
    about: "When it starts: a time, manual (an event does it), or what it waits for. 0s if absent.",
  },
  ...processFields,
  startCommand: {
    type: { kind: "boolean" },
    about: "Its exit status is the start status of its node.",
  },
});

const instanceGroup = record("instanceGroup", "a group of instances of a Testground plan", {
  instances: {
    type: { kind: "integer", min: 1, max: instancesMax },
    about: "How many copies of the command are started.",
    required: true,
  },
  command,
  node: { type: names, about: "Nodes and groups that they are dealt out to; all if absent." },
  params: {
    type: { kind: "map", of: { kind: "scalar" }, what: "a parameter", key: paramPattern },
    about: "Parameters of the plan, in TEST_INSTANCE_PARAMS.",
  },
  role: { type: line, about: "TEST_INSTANCE_ROLE; empty if absent." },
  ...processFields,
});

const testground = record("testground", "a test plan of Testground", {
  plan: { type: objectName, about: "TEST_PLAN; the name of the experiment if absent." },
  case: { type: objectName, about: "TEST_CASE.", required: true },
  groups: { type: namedMap(instanceGroup, "a group"), about: "Who takes part.", required: true },
});

const actionFields: Readonly<Record<string, Field>> = {
  target: {
    type: { kind: "text", what: "a name" },
    about:
      "A program, link, end of a link (LINK-NODE), node, sequence, timeline, group, experiment.",
    required: true,
  },
  do: { type: objectName, about: "What happens to it: start, stop, down, ...", required: true },
  set: { type: change, about: "New values for a link, with do: modify." },
  signal: { type: objectName, about: "Signal for do: kill." },
  message: { type: line, about: "Text for do: message and do: log." },
  type: { type: objectName, about: "Object type, for targets this file does not make." },
  args: { type: line, about: "Arguments as the event system carries them." },
};

const event = record("event", "an event", {
  at: {
    type: { kind: "either", options: [duration, { kind: "choice", values: ["swapout"] }] },
    about: "Time after the start, or after what it waits for; or swapout.",
  },
  when: { type: wait, about: "Waits for a barrier first: barrier start crossed." },
  ...actionFields,
});
const step = record("step", "a step of a sequence", actionFields);

const barrier = record("barrier", "a barrier", {
  members: { type: names, about: "Nodes, programs or groups of them." },
  count: {
    type: { kind: "integer", min: 1, max: barrierMembersMax },
    about: "Crossed when this many have arrived, whoever they are.",
  },
  quorum: { type: percentage, about: "Crossed when this part of the members has arrived." },
  whenDead: {
    type: { kind: "choice", values: ["fail", "shrink", "wait"] },
    about: "A member that cannot come: fail (if absent), go on without it, or wait for it.",
  },
  deadline: { type: duration, about: "It fails this long after the first arrival." },
  onFailure: {
    type: { kind: "choice", values: ["fail", "stop", "continue"] },
    about: "Fail the run at its end (if absent), stop it at once, or continue.",
  },
});

function namedMap(of: FieldType, what: string, key: string = objectNamePattern): FieldType {
  return { kind: "map", of, what, key };
}

/** The whole file. */
export const experimentType: RecordType = record("experiment", "an experiment", {
  $schema: { type: anyText, about: "Where the schema is, for editors." },
  muster: { type: { kind: "integer", min: 1, max: 1 }, about: "Version of this format: 1." },
  project: { type: plainName, about: "Project name." },
  name: { type: plainName, about: "Experiment name; the file's name when left out." },
  options: {
    type: namedMap({ kind: "scalar" }, "an option", optionPattern),
    about: "Variables for all programs; --set NAME=VALUE changes them.",
  },
  nodes: {
    type: {
      kind: "either",
      options: [
        namedMap(node, "a node", nodeKeyPattern),
        {
          kind: "list",
          of: {
            kind: "either",
            options: [{ kind: "text", what: "a name", pattern: nodeKeyPattern }, listedNode],
          },
          min: 0,
        },
      ],
    },
    about: "The nodes.",
  },
  links: { type: namedMap(link, "a link", hostNamePattern), about: "Links and LANs." },
  programs: { type: namedMap(program, "a program"), about: "Programs." },
  groups: { type: namedMap(names, "a group"), about: "Objects of one kind, for events." },
  testground: { type: testground, about: "Instances of a test plan of Testground." },
  barriers: { type: namedMap(barrier, "a barrier"), about: "Barriers." },
  events: { type: { kind: "list", of: event, min: 0 }, about: "Events of the run." },
  sequences: {
    type: namedMap({ kind: "list", of: step, min: 0 }, "a sequence"),
    about: "Steps that wait for the completion of the one before.",
  },
  timelines: {
    type: namedMap({ kind: "list", of: event, min: 0 }, "a timeline"),
    about: "Events with times from the start of the timeline.",
  },
  routing: {
    type: { kind: "choice", values: ["none", ...routings] },
    about: "How nodes reach those that are not beside them; none if absent: not at all.",
  },
  syncServer: { type: hostName, about: "Node of the sync server; the first by name." },
  linktest: {
    type: { kind: "integer", min: 0, max: 4 },
    about: "Test of the links at swap-in, up to 1 latency, 2 routing, 3 loss, 4 bandwidth.",
  },
  simulator: { type: objectName, about: "Name that old tools know the experiment's events by." },
});
