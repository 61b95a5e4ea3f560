// SPDX-License-Identifier: MIT
// What an experiment file has besides Tcl: `set` that names objects, `new`, `source`, methods of
// objects, and the answer to unknown commands. [EMULAB-NS 2, 3]

import { diagnosticsMax } from "../limits.ts";
import { closest } from "../suggest.ts";
import { TclError } from "../tcl/error.ts";
import type { CommandDefinition, Interpreter } from "../tcl/interpreter.ts";
import type { Command } from "../tcl/script.ts";
import { splitName } from "../tcl/variables.ts";
import { type NsContext, NsFault } from "./context.ts";
import { createObject } from "./create-object.ts";
import { groupMethods, sequenceMethods, timelineMethods } from "./events.ts";
import { firewallMethods } from "./firewall.ts";
import { handleMethods, linkMethods, queueMethods } from "./link.ts";
import { type Call, type Method, type MethodTable, word } from "./method.ts";
import { nodeMethods } from "./node.ts";
import type { NsObject } from "./objects.ts";
import { programMethods } from "./program.ts";
import { simulatorMethods, topographyMethods } from "./simulator.ts";
import { sourceFile } from "./source.ts";
import { testbedCommands } from "./testbed-commands.ts";
import { agentMethods, applicationMethods } from "./traffic.ts";

/** Adds the NS commands to the interpreter of a context. */
export function installLanguage(context: NsContext): void {
  const { interp } = context;
  interp.define(namingSet(context));
  interp.define({
    name: "new",
    usage: "Class ?argument?",
    min: 2,
    max: 3,
    run: (_interp, argv, site) => createObject(context, argv, site),
  });
  interp.define({
    name: "source",
    usage: "fileName",
    min: 2,
    max: 2,
    run: (_interp, argv) => {
      const name = word(argv, 1);
      // The tb-* commands are always there: naming their file is no reference to another one.
      if (/(?:^|\/)tb_compat\.tcl$/.test(name)) {
        context.hasTestbedFile = true;
        return "";
      }
      const result = sourceFile(context, name);
      context.settings.sourcedFiles.push(name);
      return result;
    },
  });
  for (const [name, command] of testbedCommands) {
    interp.define({
      name,
      usage: command.usage,
      min: command.min + 1,
      max: command.max + 1,
      run: (_interp, argv, site) =>
        context.options.compat && !context.hasTestbedFile
          ? dispatch(context, argv, site)
          : faultless(context, site, argv, () =>
              command.run({ context, self: undefined, argv, site }),
            ),
    });
  }
  interp.unknown = (_interp, argv, site) => dispatch(context, argv, site);
}

/** Runs a command whose faults are reported without ending what it stands in. */
function faultless(
  context: NsContext,
  site: Command,
  argv: readonly string[],
  run: () => string,
): string {
  for (const text of argv) if (text.length > 64) context.interp.scan(text.length);
  try {
    return run();
  } catch (error) {
    if (!(error instanceof NsFault)) throw error;
    if (error.details.silent !== true) {
      const { offset } = error;
      const details = offset >= 0 ? { ...error.details, offset } : error.details;
      context.report(site, error.code, error.message, details);
    }
    context.failedSite = site;
    return "";
  }
}

/** N3: whether the value that `set` is given is the result of a command that has failed. */
function isOfFailed({ failedSite, options }: NsContext, site: Command, value: string): boolean {
  const [part, ...others] = site.words[2]?.parts ?? [];
  if (options.compat || value !== "" || part?.kind !== "script" || others.length > 0) return false;
  return failedSite !== undefined && part.script.commands.at(-1) === failedSite;
}

/** `set`: as in Tcl, and gives an object the name of the first global variable it is put into. */
function namingSet(context: NsContext): CommandDefinition {
  const { interp } = context;
  return {
    name: "set",
    usage: "varName ?newValue?",
    min: 2,
    max: 3,
    run: (_interp, argv, site) => {
      const name = word(argv, 1);
      if (argv.length === 2) return interp.get(name);
      let value = word(argv, 2);
      if (isOfFailed(context, site, value)) {
        // Beyond that no finding is shown that these could spare.
        const { failedVariables } = context;
        if (failedVariables.size < diagnosticsMax) failedVariables.add(name.replace(/^::/, ""));
        interp.unset(name);
        return value;
      }
      const wasLoose = context.hasLoose;
      if (context.hasUnnamed) value = nameObject(context, name, value);
      const result = interp.set(name, value);
      const isNamed = value !== argv[2];
      if (interp.frame === interp.globals) context.hasLoose = false;
      if (name.startsWith("opt(") || name.startsWith("::opt(")) {
        if (wasLoose && !isNamed) loseCapture(context, name, value, site);
        else capture(context, name, value);
      }
      return result;
    },
  };
}

/** [EMULAB-NS 2] After an object without a name the old system misses the next option. */
function loseCapture(context: NsContext, name: string, value: string, site: Command): void {
  if (context.options.compat) return;
  capture(context, name, value);
  context.differs(site, `does not export ${name} here: the object made before has no name`);
}

/** N2: returns the value to store, which is the new name of the object if it got one. */
function nameObject(context: NsContext, variable: string, value: string): string {
  const object = context.objects.get(value);
  if (object === undefined || object.isNamed || !isGlobal(context.interp, variable)) return value;
  const name = variable.replace(/^::/, "").replaceAll("(", "-").replaceAll(")", "");
  const before = object.name;
  context.rename(object, name, 1);
  if (object.kind === "node") {
    const terminal = context.find(`${before}-console`, ["console"]);
    if (terminal !== undefined) context.rename(terminal, `${name}-console`, 1);
  }
  return name;
}

function isGlobal(interp: Interpreter, variable: string): boolean {
  const { base } = splitName(variable);
  if (interp.frame === interp.globals) return true;
  const local = interp.frame.variables.get(base);
  if (local === undefined) {
    return (
      base.startsWith("::") ||
      (interp.frame.kind === "namespace" && interp.find(base) !== undefined)
    );
  }
  return interp.globals.variables.get(base) === local;
}

/** [EMULAB-NS 2] `set opt(NAME) value` at global level is handed to the programs. */
export function capture(context: NsContext, variable: string, value: string): void {
  if (context.interp.frame !== context.interp.globals) return;
  const name = splitName(variable).index ?? "";
  if (!/^[-_0-9a-zA-Z]+$/.test(name)) return;
  if (context.environment.has(name) && !context.options.compat) {
    context.environment.set(name, value);
    return;
  }
  context.environment.set(name, value);
  context.environmentOrder.push(name);
}

type AnyTable = MethodTable<never>;

const tables: Readonly<Record<NsObject["kind"], AnyTable>> = {
  simulator: simulatorMethods,
  node: nodeMethods,
  link: linkMethods,
  queue: queueMethods,
  handle: handleMethods,
  agent: agentMethods,
  application: applicationMethods,
  program: programMethods,
  group: groupMethods,
  sequence: sequenceMethods,
  timeline: timelineMethods,
  console: new Map(),
  topography: topographyMethods,
  path: new Map(),
  firewall: firewallMethods,
  null: new Map(),
};

/** The methods of every kind of object. */
export const memberKinds: ReadonlyMap<string, ReadonlyMap<string, unknown>> = new Map(
  Object.entries(tables),
);

/** A first word that is no command: an object, or a mistake. */
function dispatch(context: NsContext, argv: readonly string[], site: Command): string {
  const name = word(argv, 0);
  const object = context.objects.get(name);
  if (object === undefined) throw unknownCommand(context, argv);
  if (object.kind === "null") return "";
  if (argv.length < 2) {
    throw new TclError("NS_METHOD", `${name} is an object: say what it should do`, { word: 0 });
  }
  const table: ReadonlyMap<string, Method<NsObject>> = tables[object.kind] as never;
  const method = table.get(word(argv, 1));
  if (method === undefined) return unknownMethod(context, object, argv, site, [...table.keys()]);
  if (argv.length - 2 < method.min || argv.length - 2 > method.max) {
    const usage = `${name} ${word(argv, 1)} ${method.usage}`.trimEnd();
    throw new TclError("TCL_ARGUMENTS", `wrong # args: should be "${usage}"`, { word: 1 });
  }
  const call: Call<NsObject> = { context, self: object, argv, site };
  return faultless(context, site, argv, () => method.run(call));
}

function unknownCommand(context: NsContext, argv: readonly string[]): TclError {
  const name = word(argv, 0);
  const shown = argv.join(" ");
  const { options, hasTestbedFile } = context;
  const suggest = (): string => {
    if (options.compat && !hasTestbedFile && context.interp.commands.has(name)) {
      return "The file does not source it yet: put source tb_compat.tcl before this line.";
    }
    const near = closest(name, context.interp.commands.keys());
    if (near !== undefined) return `Did you mean "${near}"?`;
    const isVariable = context.objects.has(name) || context.interp.exists(name);
    if (isVariable) return `Did you mean $${name}?`;
    return "Check the spelling; a value of a variable is written with $.";
  };
  const message = `Unknown: ${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}`;
  return new TclError("NS_UNKNOWN_COMMAND", message, { word: 0, suggest });
}

function unknownMethod(
  context: NsContext,
  object: NsObject,
  argv: readonly string[],
  site: Command,
  known: readonly string[],
): string {
  const name = word(argv, 1);
  const near = closest(name, known);
  if (near !== undefined) {
    throw new TclError("NS_METHOD", `${object.name} has no method ${name}`, {
      word: 1,
      hint: `Did you mean "${near}"?`,
    });
  }
  const what = object.kind === "simulator" ? "the simulator" : object.name;
  context.warn(site, "NS_UNSUPPORTED", `${name} of ${what} is not supported and is ignored`, {
    word: 1,
  });
  if (object.kind !== "simulator") return "";
  return context.add({
    kind: "null",
    name: context.nextName("tbnull-null"),
    isNamed: false,
    offset: context.offsetOf(site),
    className: name,
  }).name;
}
