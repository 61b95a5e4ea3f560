// SPDX-License-Identifier: MIT
// Arbitrary experiments for the round trips: everything the model can hold, with names that refer
// to what is there.
import fc from "fast-check";
import type {
  BarrierDeclaration,
  BarrierWait,
  Experiment,
  GivenRoute,
  Link,
  LinkMember,
  LinkShape,
  PlannedEvent,
  Program,
  TrafficFlow,
} from "../../src/experiment/index.ts";
import { presetQueue } from "../../src/experiment/link-shape.ts";

const routings = ["static", "static-ddijk", "static-old", "session", "manual"] as const;
const at = { file: "", line: 1, column: 1 };

/** Letters and digits, different for each index whatever the stem. */
const stem = fc.stringMatching(/^[a-z][-a-zA-Z0-9]{0,6}[a-z]$/);
/** Text of one line, with everything that a quoting could get wrong. */
const line = fc.oneof(
  fc.constantFrom(
    "true",
    "a: b # c",
    "echo \"x\" 'y' $HOME ${A} [b] {c",
    "back\\slash \\",
    "null",
    "0x1f",
    "1e5",
    " leading and trailing ",
    "tab\there",
    "*alias &anchor !tag",
    "ä ö 漢字 😀",
    "{a; b}",
    "off",
  ),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }).map(oneLine),
);

function oneLine(text: string): string {
  return text.replace(/[\n\r\0]/g, " ").toWellFormed();
}

/**
 * What NS can say of a shape: whole kilobits, delays of whole milliseconds both halves together.
 */
const nsShape = fc.record({
  bandwidthBps: fc.constantFrom(0, 56_000, 1_544_000, 100_000_000, 1_000_000_000),
  delayUs: fc.constantFrom(0, 1_000, 2_500, 10_000, 35_000),
  loss: fc.constantFrom(0, 0.01, 0.05, 0.5).map((loss) => 1 - Math.sqrt(1 - loss)),
});
const anyShape = fc.oneof(
  nsShape,
  fc.record({
    bandwidthBps: fc.integer({ min: 0, max: 100_000_000_000 }),
    delayUs: fc.integer({ min: 0, max: 10_000_000 }),
    loss: fc.double({ min: 0, max: 1, noNaN: true }),
    jitterUs: fc.integer({ min: 1, max: 10_000_000 }),
    duplicate: fc.double({ min: 0.001, max: 1, noNaN: true }),
    reorder: fc.constantFrom(0.05, 0.5),
  }),
);
/** Queues that either language can say; of one that says nothing there is none. */
const someQueue = fc.record({
  kind: fc.constantFrom("drop-tail", "red", "gentle-red"),
  limit: fc.integer({ min: 1, max: 49 }),
  limitUnit: fc.constantFrom("packets", "bytes"),
  minThreshold: fc.constantFrom(5, 2.5),
  maxThreshold: fc.integer({ min: 1, max: 100 }),
  averageWeight: fc.constantFrom(0.002, 0.01),
  dropOneIn: fc.constantFrom(10, 50),
  meanPacketBytes: fc.constantFrom(500, 1000),
} as const);

interface Draw {
  readonly ns: boolean;
  readonly gen: fc.GeneratorValue;
}

/** An experiment; one that NS files can say too when `ns` is set. */
export function experiments(ns: boolean): fc.Arbitrary<Experiment> {
  return fc.gen().map((gen) => draw({ ns, gen }));
}

/** Also with what no YAML file has words for. */
export const wholeExperiments: fc.Arbitrary<Experiment> = fc
  .gen()
  .map((gen) => addUnsayable({ ns: false, gen }, draw({ ns: false, gen })));

function addUnsayable(it: Draw, experiment: Experiment): Experiment {
  const { nodes, links, sequences } = experiment;
  const some = <T>(value: T): T | undefined =>
    it.gen(fc.nat, { max: 3 }) === 0 ? value : undefined;
  const [first, second] = nodes.map(({ name }) => name);
  const end = (name: string, node: string) => ({ name, node, port: 0, address: "" });
  const flow: TrafficFlow = {
    ...{ name: "cbr", kind: "cbr", protocol: "udp", packetBytes: 210, at },
    ...{ rateBps: 1_000, intervalSeconds: undefined, tos: undefined },
    ...{ source: end("cbr", first ?? ""), sink: end("null", second ?? "") },
  };
  const [one] = sequences;
  return {
    ...experiment,
    links: links.map((link) => ({
      ...link,
      ...given("cost", some(2.5) ?? link.cost),
      members: link.members.map((member) => ({
        ...member,
        ...given("queue", some({ ...presetQueue, averageWeight: 2 }) ?? member.queue),
        ...given("trace", some({ kind: "headers", inDatabase: true } as const) ?? member.trace),
      })),
    })),
    ...given("traffic", some([flow])),
    sequences: sequences.map((sequence) => ({
      ...sequence,
      ...given("onError", sequence.steps.length > 0 ? some(one?.name) : undefined),
    })),
  };
}

/** A field, unless there is nothing to put there. */
function given<K extends string, V>(key: K, value: V | undefined): { [Key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [Key in K]?: V });
}

function pick<T>({ gen }: Draw, from: readonly T[]): T {
  return from[gen(fc.nat, { max: from.length - 1 })] as T;
}

function flip({ gen }: Draw): boolean {
  return gen(fc.boolean);
}

function draw(it: Draw): Experiment {
  const { gen, ns } = it;
  const prefix = gen(() => stem);
  const count = gen(fc.nat, { max: 6 }) + 1;
  const nodes = Array.from({ length: count }, (_, index) => ({
    name: `${prefix}${index + pick(it, [0, 1]) * 10 * (index + 1)}`.slice(0, 32),
    osName: pick(it, ["", "", "FBSD-STD", "a b"]),
    hardwareType: pick(it, ["pc", "pc", "pc850"]),
    failureAction: pick(it, ["fatal", "nonfatal", "ignore"] as const),
    ...given("archives", pick(it, [undefined, [{ directory: "/opt", file: "/proj/a b.tgz" }]])),
    ...given("packages", pick(it, [undefined, ["x.rpm"], ["a b.rpm"], ["x.rpm", "{"]])),
    ...given("machine", pick(it, [undefined, undefined, "pc7"])),
    at,
  })).filter((node, index, all) => all.findIndex(({ name }) => name === node.name) === index);
  const names = nodes.map(({ name }) => name);
  const links = drawLinks(it, names);
  const routes = drawRoutes(it, links);
  const barriers = ns ? [] : drawBarriers(it, names);
  const programs = drawPrograms(it, names, barriers);
  const groups =
    programs.length > 1 && flip(it)
      ? [{ name: "everybody", members: programs.map(({ name }) => name) }]
      : [];
  const sequences = ["seqA", "seqB"].slice(0, gen(fc.nat, { max: 2 }));
  const timelines = ["lineA"].slice(0, gen(fc.nat, { max: 1 }));
  const targets = { links, programs, groups, sequences, timelines, barriers };
  const starts = programs.filter(({ isStartCommand }) => isStartCommand).map(startEvent);
  const own = starts.length > 0 && ns ? starts : flip(it) ? programs.map(startEvent) : [];
  const events = [...own, ...drawEvents(it, targets, "event")];
  return renumbered({
    pid: pick(it, ["muster", "proj"]),
    eid: pick(it, ["exp", "my-exp"]),
    nodes,
    links,
    programs,
    events,
    sequences: sequences.map((name) => ({ name, steps: drawEvents(it, targets, "step") })),
    timelines: timelines.map((name) => ({ name, events: drawEvents(it, targets, "event") })),
    groups,
    ...(barriers.length === 0 ? {} : { barriers }),
    ...(flip(it) ? { routing: pick(it, routings) } : {}),
    ...(routes.length === 0 ? {} : { routes }),
    syncServer: flip(it) ? pick(it, names) : names.toSorted()[0],
    ...(flip(it) ? { linktestLevel: pick(it, [0, 3, 4] as const) } : {}),
    simulator: pick(it, ["ns", "sim"]),
    environment: flip(it) ? [["SIZE", gen(() => line)] as const, ["N", "5"] as const] : [],
  });
}

/** Numbers as a reader gives them: main events, then sequences, then timelines. */
function renumbered(experiment: Experiment): Experiment {
  let index = 0;
  const number = (event: PlannedEvent): PlannedEvent => ({ ...event, index: index++ });
  return {
    ...experiment,
    events: experiment.events.map(number),
    sequences: experiment.sequences.map((one) => ({ ...one, steps: one.steps.map(number) })),
    timelines: experiment.timelines.map((one) => ({ ...one, events: one.events.map(number) })),
  };
}

function drawLinks(it: Draw, names: readonly string[]): Link[] {
  const { gen, ns } = it;
  if (names.length < 2) return [];
  const ports = new Map<string, number>();
  return Array.from({ length: gen(fc.nat, { max: 3 }) }, (_, index): Link => {
    const kind = pick(it, ["link", "lan"] as const);
    const members = kind === "link" ? names.slice(0, 2) : names;
    const shape = (): LinkShape => gen(() => (ns ? nsShape : anyShape));
    const whole = shape();
    const isAsymmetric = !ns && flip(it);
    const isDifferent = !ns && flip(it);
    const [out, back] = isAsymmetric ? [shape(), shape()] : [whole, whole];
    const queues = drawQueues(it, members.length);
    const traces = drawTraces(it, members.length);
    return {
      name: `${kind}${index}x`,
      kind,
      netmask: "255.255.255.0",
      ...(flip(it) ? { cost: pick(it, [2, 1_000_000]) } : {}),
      members: members.map((node, place) => {
        const port = ports.get(node) ?? 0;
        ports.set(node, port + 1);
        const [toLink, fromLink] = place === 0 ? [out, back] : [back, out];
        const address = `10.${index + 1}.1.${place + 2}`;
        const other = isDifferent && place === members.length - 1 ? shape() : undefined;
        return {
          node,
          port,
          address,
          toLink: other ?? toLink,
          fromLink,
          ...queues[place],
          ...traces[place],
        };
      }),
      at,
    };
  });
}

/** By a neighbour: to a link, to one end of it, or to the only end of a node. */
function drawRoutes(it: Draw, links: readonly Link[]): GivenRoute[] {
  const [link] = links;
  const [first, second] = link?.members ?? [];
  if (link === undefined || first === undefined || second === undefined || flip(it)) return [];
  const ends = links.flatMap(({ members }) => members.map(({ node }) => node));
  const isOnce = ends.filter((node) => node === second.node).length === 1;
  const to = pick(it, [
    { link: link.name },
    { link: link.name, node: second.node },
    ...(isOnce ? [{ node: second.node }] : []),
  ]);
  return [{ node: first.node, to, by: second.node, at }];
}

/** Of all members, of some, or of none. */
function drawQueues(it: Draw, count: number): readonly Pick<LinkMember, "queue">[] {
  const common = it.gen(() => someQueue);
  const which = pick(it, ["none", "none", "all", "some"] as const);
  return Array.from({ length: count }, () => {
    if (which === "none" || (which === "some" && flip(it))) return {};
    return { queue: which === "all" ? common : it.gen(() => someQueue) };
  });
}

const someTrace = fc.record(
  {
    kind: fc.constantFrom("headers", "packets", "counts"),
    bytes: fc.constantFrom(1, 64, 65_535),
    expression: fc.constantFrom("tcp", "tcp port 80 and host a", "ip[0] = 0x45"),
  } as const,
  { requiredKeys: ["kind"] },
);

/** Of all members, or none; only YAML can leave out some. */
function drawTraces(it: Draw, count: number): readonly Pick<LinkMember, "trace">[] {
  const common = it.gen(() => someTrace);
  const which = pick(it, ["none", "none", "all", "each"] as const);
  return Array.from({ length: count }, () => {
    if (which === "none" || (which === "each" && !it.ns && flip(it))) return {};
    return { trace: which === "all" ? common : it.gen(() => someTrace) };
  });
}

function drawBarriers(it: Draw, names: readonly string[]): BarrierDeclaration[] {
  return ["go", "done"].slice(0, it.gen(fc.nat, { max: 2 })).map((name) => ({
    name,
    rule: pick(it, [
      { kind: "roster" },
      { kind: "roster", whenDead: "shrink" },
      { kind: "count", count: 1 },
      { kind: "quorum", share: 0.015 },
    ] as const),
    members: names.slice(0, 1 + it.gen(fc.nat, { max: names.length - 1 })),
    deadlineUs: pick(it, [0, 30_000_000, 1_500]),
    onFailure: pick(it, ["fail", "stop", "continue"] as const),
    at,
  }));
}

function drawWait(it: Draw, barriers: readonly BarrierDeclaration[]): { on?: BarrierWait } {
  if (barriers.length === 0 || flip(it)) return {};
  const outcome = pick(it, ["crossed", "failed", "timeout", "cancelled"] as const);
  return { on: { barrier: pick(it, barriers).name, outcome, at } };
}

function drawPrograms(
  it: Draw,
  names: readonly string[],
  barriers: readonly BarrierDeclaration[],
): Program[] {
  const { gen, ns } = it;
  const programs: Program[] = [];
  for (const node of flip(it) ? names : [])
    programs.push(plainProgram(it, `${node}_startcmd`, node));
  for (let index = gen(fc.nat, { max: 3 }); index > 0; index -= 1) {
    const base = plainProgram(it, `prog${index}`, pick(it, names));
    const on = ns ? {} : drawWait(it, barriers);
    const after =
      ns || !flip(it) ? [] : programs.slice(-1).map(({ name }) => ({ program: name, at }));
    const waits = after.length > 0 || on.on !== undefined;
    programs.push({
      ...base,
      isStartCommand: false,
      directory: pick(it, ["", "/tmp", "/a b"]),
      timeoutSeconds: pick(it, [0, 1.5, 3600]),
      expectedExitCode: pick(it, [0, 0, 42]),
      ...(ns || flip(it) ? {} : { shell: "csh" as const }),
      ...(ns || flip(it) ? {} : { environment: [["A", gen(() => line)] as const] }),
      ...(waits ? { startWhen: { after, ...on, delayUs: pick(it, [0, 2_000_000]), at } } : {}),
    });
  }
  return programs;
}

function plainProgram({ gen }: Draw, name: string, node: string): Program {
  const rest = { directory: "", timeoutSeconds: 0, expectedExitCode: 0, at };
  return { name, node, command: gen(() => line), isStartCommand: true, ...rest };
}

function startEvent(program: Program): PlannedEvent {
  const args = `COMMAND=${program.command}`;
  return { index: 0, atUs: 0, object: program.name, type: "PROGRAM", event: "START", args, at };
}

interface Targets {
  readonly links: readonly Link[];
  readonly programs: readonly Program[];
  readonly groups: readonly { readonly name: string }[];
  readonly sequences: readonly string[];
  readonly timelines: readonly string[];
  readonly barriers: readonly BarrierDeclaration[];
}

function drawEvents(it: Draw, targets: Targets, kind: "event" | "step"): PlannedEvent[] {
  const choices: [object: string, type: string, event: string, args: string][] = [
    ...targets.links.flatMap(({ name }): [string, string, string, string][] => [
      [name, "LINK", "DOWN", ""],
      [name, "LINK", "MODIFY", "BANDWIDTH=5000"],
      [name, "LINK", "MODIFY", "DELAY=20ms"],
      [name, "LINK", "MODIFY", "PLR=0.1"],
      [name, "LINK", "MODIFY", "JITTER=1.5ms DUPLICATE=0.01 REORDER=0.05"],
      [name, "LINK", "MODIFY", "DELAY=20ms QUEUE-IN-BYTES=0 LIMIT=40 THRESH=7"],
      [name, "LINK", "MODIFY", "LIMIT=40 BANDWIDTH=5"],
    ]),
    ...targets.links
      .filter(({ members }) => members.some(({ trace }) => trace !== undefined))
      .map(({ name }): [string, string, string, string] => {
        return [`${name}-tracemon`, "LINKTRACE", "START", ""];
      }),
    ...(it.ns ? [] : targets.links).map(({ name, members }): [string, string, string, string] => [
      `${name}-${members[0]?.node}`,
      "LINK",
      "DOWN",
      "",
    ]),
    ...targets.programs.flatMap(({ name, command }): [string, string, string, string][] => [
      [name, "PROGRAM", "START", `COMMAND=${command}`],
      [name, "PROGRAM", "RUN", `TAG=x COMMAND=${command}`],
      [name, "PROGRAM", "KILL", "SIGNAL=TERM"],
    ]),
    ...targets.groups.map(({ name }): [string, string, string, string] => [
      name,
      "PROGRAM",
      "STOP",
      "",
    ]),
    ...targets.sequences.map((name): [string, string, string, string] => [
      name,
      "SEQUENCE",
      "RUN",
      "",
    ]),
    ...targets.timelines.map((name): [string, string, string, string] => [
      name,
      "TIMELINE",
      "START",
      "",
    ]),
  ];
  if (choices.length === 0) return [];
  return Array.from({ length: it.gen(fc.nat, { max: 4 }) }, (): PlannedEvent => {
    const [object, type, event, args] = pick(it, choices);
    const wait = it.ns || kind === "step" ? {} : drawWait(it, targets.barriers);
    const times = [0, 1_500_000, 250, 3_600_000_000];
    const last = wait.on === undefined ? (["swapout"] as const) : [];
    const atUs = kind === "step" ? 0 : pick<number | "swapout">(it, [...times, ...last]);
    return { index: 0, atUs, object, type, event, args, ...wait, at };
  });
}

/** An experiment without its places, to compare. */
export function withoutPlaces(experiment: Experiment | undefined): unknown {
  return JSON.parse(
    JSON.stringify(experiment ?? null, (key, value) => (key === "at" ? undefined : value)),
  );
}
