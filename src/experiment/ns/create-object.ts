// SPDX-License-Identifier: MIT
// `new Class`: which classes there are and what each makes. [EMULAB-NS 4]

import { closest } from "../suggest.ts";
import { TclError } from "../tcl/error.ts";
import { parseList } from "../tcl/list.ts";
import type { Command } from "../tcl/script.ts";
import type { NsContext } from "./context.ts";
import { createGroup, createSequence, createTimeline } from "./events.ts";
import { createFirewall } from "./firewall.ts";
import { word } from "./method.ts";
import { createNode } from "./node.ts";
import type { PathObject, SimulatorObject } from "./objects.ts";
import { createProgram } from "./program.ts";
import { agentClasses, applicationClasses, createAgent, createApplication } from "./traffic.ts";

const otherClasses = [
  "Simulator",
  "Program",
  "EventGroup",
  "EventSequence",
  "EventTimeline",
  "Topography",
  "Firewall",
  "Console",
  "Path",
  "NSENode",
];

/** `new Class ?argument?`: makes an object and returns its internal name. */
export function createObject(context: NsContext, argv: readonly string[], site: Command): string {
  const className = word(argv, 1);
  const family = agentClasses.get(className);
  if (family !== undefined) return createAgent(context, site, className, family).name;
  const application = applicationClasses.get(className);
  if (application !== undefined) {
    return createApplication(context, site, className, application).name;
  }
  switch (className) {
    case "Simulator":
      return createSimulator(context, site);
    case "Program":
      return createProgram(context, site).name;
    case "EventGroup":
      return createGroup(context, site).name;
    case "EventSequence":
      return createSequence(context, site, "", 1).name;
    case "EventTimeline":
      return createTimeline(context, site).name;
    case "Topography":
      return context.add(plain(context, site, "topography", className, { area: "" })).name;
    case "Firewall":
      return createFirewall(context, site).name;
    case "Path":
      return createPath(context, site, word(argv, 2)).name;
    case "NSENode":
      return createNode(context, site, false, undefined).name;
    case "Console":
      return context.add(plain(context, site, "console", className, { node: undefined })).name;
    default:
      return unknownClass(context, argv, site);
  }
}

function plain<K extends string, T extends object>(
  context: NsContext,
  site: Command,
  kind: K,
  className: string,
  rest: T,
): { kind: K; name: string; isNamed: boolean; offset: number } & T {
  const name = context.nextClassName(className);
  return { kind, name, isNamed: false, offset: context.offsetOf(site), ...rest };
}

function unknownClass(context: NsContext, argv: readonly string[], site: Command): string {
  const className = word(argv, 1);
  const known = [...agentClasses.keys(), ...applicationClasses.keys(), ...otherClasses];
  const near = closest(className, known);
  if (near !== undefined) {
    throw new TclError("NS_CLASS", `there is no class ${className}`, {
      word: 1,
      hint: `Did you mean ${near}?`,
    });
  }
  return createNull(context, site, className, 1);
}

/** An object that takes every method, for the parts of ns-2 that mean nothing here. */
function createNull(context: NsContext, site: Command, className: string, index: number): string {
  context.warn(site, "NS_UNSUPPORTED", `${className} is not supported and is ignored`, {
    word: index,
  });
  return context.add({
    kind: "null",
    name: context.nextName("tbnull-null"),
    isNamed: false,
    offset: context.offsetOf(site),
    className,
  }).name;
}

function createSimulator(context: NsContext, site: Command): string {
  if (context.simulator !== undefined) {
    const { line } = context.interp.sources.position(context.simulator.offset);
    throw new TclError("NS_SIMULATOR_TWICE", "there already is a simulator", {
      word: 1,
      hint: `It was made at line ${line}; one file describes one experiment.`,
    });
  }
  const simulator: SimulatorObject = {
    kind: "simulator",
    name: context.nextClassName("Simulator"),
    isNamed: false,
    offset: context.offsetOf(site),
  };
  context.simulator = context.add(simulator);
  return simulator.name;
}

/** A path: the links it runs over, one after another. @throws TclError `NS_NOT_A` */
export function createPath(context: NsContext, site: Command, links: string): PathObject {
  return context.add({
    kind: "path",
    name: context.nextName("tbpath-path"),
    isNamed: false,
    offset: context.offsetOf(site),
    links: parseList(links).map((name) => {
      const link = context.find(name, ["link"]);
      if (link !== undefined) return link;
      const { code, message, details } = context.notA("make-path", name, 2, "a link");
      throw new TclError(code, message, details);
    }),
  });
}
