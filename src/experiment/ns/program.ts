// SPDX-License-Identifier: MIT
// Programs: `new Program`, `$node program-agent` and start commands. [EMULAB-NS 6.5, 9]

import type { Command } from "../tcl/script.ts";
import { type NsContext, NsFault } from "./context.ts";
import { type Call, type MethodTable, method, options, word } from "./method.ts";
import type { NodeObject, ProgramObject } from "./objects.ts";
import { parseRelativeTime } from "./units.ts";

/** The agent on the node that reports the exit status of a start command. */
const reporter = "/usr/local/etc/emulab/startcmddone";

/** The table form of a start command: its status is reported when it ends. */
export function wrapStartCommand(command: string): string {
  return `(${command} ; ${reporter} $?)`;
}

/** Makes a program object. */
export function createProgram(context: NsContext, site: Command): ProgramObject {
  return context.add({
    kind: "program",
    name: context.nextClassName("Program"),
    isNamed: false,
    offset: context.offsetOf(site),
    node: undefined,
    command: "",
    innerCommand: undefined,
    directory: "",
    timeout: "",
    expectedExitCode: "",
  });
}

/** `$node program-agent ?-command c? ?-dir d? ?-timeout t? ?-expected-exit-code n?` */
export function createProgramAgent(
  context: NsContext,
  site: Command,
  node: NodeObject,
  argv: readonly string[],
): string {
  const names = ["-command", "-dir", "-timeout", "-expected-exit-code"] as const;
  const given = options(argv, 2, names);
  const timeout = given.get("-timeout");
  if (timeout !== undefined && !parseRelativeTime(timeout.value).ok) {
    const message = `-timeout value is not a relative time: ${timeout.value}`;
    throw new NsFault("NS_TIME", message, { word: timeout.word });
  }
  const command = given.get("-command");
  if (command?.value.includes("\n") === true) {
    throw new NsFault("NS_COMMAND", "a program's command must be one line", { word: command.word });
  }
  const program = createProgram(context, site);
  program.node = node;
  program.command = command?.value ?? "";
  // [EMULAB-NS 6.5] The tables carry braces around the directory of a program agent.
  program.directory = `{${given.get("-dir")?.value ?? ""}}`;
  program.timeout = timeout?.value ?? "";
  program.expectedExitCode = given.get("-expected-exit-code")?.value ?? "";
  return program.name;
}

/** Adds the program `<node>_startcmd`, and its start at time 0. */
export function setStartCommand(
  context: NsContext,
  site: Command,
  node: NodeObject,
  command: string,
): string {
  if (command.includes("\n")) {
    throw new NsFault("NS_COMMAND", "a start command must be one line", { word: 2 });
  }
  const program = createProgram(context, site);
  program.node = node;
  program.command = wrapStartCommand(command);
  program.innerCommand = command;
  const name = `${node.name}_startcmd`;
  const earlier = context.objects.get(name);
  if (earlier !== undefined) {
    const { line } = context.interp.sources.position(earlier.offset);
    throw new NsFault(
      "NS_STARTCMD_TWICE",
      `${node.name} already has a start command (line ${line})`,
      {
        word: 1,
        hint: "Join both commands with && or ; into one.",
      },
    );
  }
  context.rename(program, name, 1);
  context.interp.atLevel(0, () => context.interp.set(name, name));
  context.addEvent({
    timeText: "0",
    atUs: 0,
    vnode: node.name,
    vname: name,
    objectType: "PROGRAM",
    eventType: "START",
    args: `COMMAND=${program.command}`,
    modelArgs: `COMMAND=${command}`,
    offset: program.offset,
  });
  return name;
}

function set({ context, self, argv, site }: Call<ProgramObject>): string {
  const value = word(argv, 3);
  switch (word(argv, 2)) {
    case "node": {
      if (argv.length === 3)
        return typeof self.node === "object" ? self.node.name : (self.node ?? "");
      if (value === "ops") self.node = "ops";
      else self.node = context.find(value, ["node"]);
      if (self.node === undefined) throw context.notA("set node", value, 3, "a node");
      return value;
    }
    case "command":
      if (argv.length === 3) return self.command;
      if (value.includes("\n")) {
        throw new NsFault("NS_COMMAND", "a program's command must be one line", { word: 3 });
      }
      self.command = value;
      return value;
    case "dir":
      if (argv.length === 3) return self.directory;
      self.directory = value;
      return value;
    case "timeout":
      if (argv.length === 3) return self.timeout;
      if (!parseRelativeTime(value).ok) {
        throw new NsFault("NS_TIME", `-timeout value is not a relative time: ${value}`, {
          word: 3,
        });
      }
      self.timeout = value;
      return value;
    case "expected-exit-code":
      if (argv.length > 3) self.expectedExitCode = value;
      return self.expectedExitCode;
    default: {
      const hint = "Programs have node, command, dir, timeout and expected-exit-code.";
      const message = `programs have no field ${word(argv, 2)}`;
      context.report(site, "NS_FIELD", message, { word: 2, hint });
      return "";
    }
  }
}

/** Methods of programs. */
export const programMethods: MethodTable<ProgramObject> = new Map([
  method<ProgramObject>("set", "field ?value?", 1, 2, set),
]);
