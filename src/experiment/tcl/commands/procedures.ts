// SPDX-License-Identifier: MIT
// proc, uplevel, namespace: commands that make or change frames.

import { TclError } from "../error.ts";
import { type CommandDefinition, completion, type Interpreter } from "../interpreter.ts";
import { formatList, parseList } from "../list.ts";
import type { Command, Script } from "../script.ts";
import { bytesOf, Frame, Variable, variableBytes } from "../variables.ts";
import { joinScript } from "./control.ts";
import { arg, command, ensemble, many, subcommands } from "./shared.ts";

interface Parameter {
  readonly name: string;
  readonly preset: string | undefined;
}

/** A procedure of the file. */
export interface Procedure {
  readonly name: string;
  readonly namespace: string;
  readonly parameters: readonly Parameter[];
  readonly body: string;
  readonly script: Script;
}

function proc(interp: Interpreter, argv: readonly string[], site: Command): string {
  const given = arg(argv, 1);
  const absolute = given.startsWith("::");
  const plain = given.replace(/^::/, "");
  const space = interp.frame.namespace;
  const name = absolute || space === "" ? plain : `${space}::${plain}`;
  const parameters = parseList(arg(argv, 2)).map((text): Parameter => {
    const [parameter = "", preset, ...extra] = parseList(text);
    if (parameter === "" || extra.length > 0) {
      throw new TclError("TCL_PROC", `bad parameter "${text}" of procedure "${given}"`, {
        word: 2,
      });
    }
    return { name: parameter, preset };
  });
  const body = arg(argv, 3);
  interp.memory.hold(body.length + variableBytes(name, undefined));
  const script = interp.scriptOf(site, 3, body);
  const cut = name.lastIndexOf("::");
  const namespace = cut < 0 ? "" : name.slice(0, cut);
  const procedure: Procedure = { name, namespace, parameters, body, script };
  interp.procedures.set(name, procedure);
  interp.define(
    command(name, "", 1, many, (inner, words, call) => invoke(inner, procedure, words, call)),
  );
  return "";
}

function usageOf(procedure: Procedure): string {
  const words = procedure.parameters.map(({ name, preset }) =>
    name === "args" ? "?arg ...?" : preset === undefined ? name : `?${name}?`,
  );
  return [procedure.name, ...words].join(" ");
}

/** Binds the arguments and runs the body in a frame of its own. */
function invoke(
  interp: Interpreter,
  procedure: Procedure,
  argv: readonly string[],
  site: Command,
): string {
  const frame = new Frame("procedure", procedure.namespace, argv);
  bind(interp, frame, procedure, argv);
  try {
    const result = interp.within(frame, () => interp.run(procedure.script));
    return finish(interp, result);
  } catch (error) {
    interp.addVia(error, site);
    throw error;
  } finally {
    release(interp, frame);
  }
}

function bind(
  interp: Interpreter,
  frame: Frame,
  procedure: Procedure,
  argv: readonly string[],
): void {
  const { parameters } = procedure;
  const last = parameters.length - 1;
  let used = 1;
  parameters.forEach(({ name, preset }, at) => {
    const collects = at === last && name === "args";
    const value = collects ? undefined : (argv[used] ?? preset);
    if (collects) {
      frame.variables.set(name, makeLocal(interp, name, formatList(argv.slice(used))));
      used = argv.length;
      return;
    }
    if (value === undefined) {
      throw new TclError("TCL_ARGUMENTS", `wrong # args: should be "${usageOf(procedure)}"`);
    }
    frame.variables.set(name, makeLocal(interp, name, value));
    used += 1;
  });
  if (used < argv.length) {
    throw new TclError("TCL_ARGUMENTS", `wrong # args: should be "${usageOf(procedure)}"`);
  }
}

function makeLocal(interp: Interpreter, name: string, value: string): Variable {
  interp.memory.hold(variableBytes(name, value));
  const variable = new Variable();
  variable.value = value;
  return variable;
}

/** Turns the completion of a body into that of the call. */
function finish(interp: Interpreter, result: string): string {
  switch (interp.code) {
    case completion.ok:
      return result;
    case completion.return:
      if (interp.exited !== undefined) return "";
      interp.code = interp.returnCode;
      return interp.returned;
    default: {
      const word = interp.code === completion.break ? "break" : "continue";
      interp.code = completion.ok;
      throw new TclError("TCL_LOOP", `invoked "${word}" outside of a loop`);
    }
  }
}

function release(interp: Interpreter, frame: Frame): void {
  let bytes = 0;
  for (const [name, variable] of frame.variables) {
    if (!frame.links?.has(name)) bytes += bytesOf(name, variable);
  }
  interp.memory.live -= bytes;
}

function uplevel(interp: Interpreter, argv: readonly string[], site: Command): string {
  const hasLevel = argv.length > 2 && /^#?[0-9]+$/.test(arg(argv, 1));
  const level = interp.levelOf(hasLevel ? arg(argv, 1) : "1");
  const { text, origin } = joinScript(interp, argv, site, hasLevel ? 2 : 1);
  return interp.atLevel(level, () => interp.evalText(text, origin));
}

function namespaceFrame(interp: Interpreter, given: string): Frame {
  const outer = interp.frame.namespace;
  const plain = given.replace(/^::/, "").replace(/::+/g, "::").replace(/::$/, "");
  const name = given.startsWith("::") || outer === "" ? plain : `${outer}::${plain}`;
  const known = interp.namespaces.get(name);
  if (known !== undefined) return known;
  interp.memory.hold(variableBytes(name, undefined));
  const frame = new Frame("namespace", name, []);
  interp.namespaces.set(name, frame);
  return frame;
}

const namespaceTable = subcommands(
  command("eval", "name arg ?arg ...?", 4, many, (interp, argv, site) => {
    const frame = namespaceFrame(interp, arg(argv, 2));
    const { text, origin } = joinScript(interp, argv, site, 3);
    const script =
      argv.length === 4 ? interp.scriptOf(site, 3, text) : interp.dynamicScript(text, origin);
    return interp.within(frame, () => interp.run(script));
  }),
  command("current", "", 2, 2, (interp) => `::${interp.frame.namespace}`),
  command("exists", "name", 3, 3, (interp, argv) =>
    interp.namespaces.has(arg(argv, 2).replace(/^::/, "")) ? "1" : "0",
  ),
  command("tail", "string", 3, 3, (_interp, argv) => arg(argv, 2).replace(/^.*::/s, "")),
  command("qualifiers", "string", 3, 3, (_interp, argv) => {
    const cut = arg(argv, 2).lastIndexOf("::");
    return cut < 0 ? "" : arg(argv, 2).slice(0, cut);
  }),
);

/** Commands on procedures, levels and namespaces. */
export const procedureCommands: readonly CommandDefinition[] = [
  command("proc", "name args body", 4, 4, proc),
  command("uplevel", "?level? command ?arg ...?", 2, many, uplevel),
  ensemble("namespace", namespaceTable),
];
