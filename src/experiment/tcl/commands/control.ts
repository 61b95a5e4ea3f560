// SPDX-License-Identifier: MIT
// if, while, for, foreach, switch, break, continue, return, eval, catch, error, expr, subst, exit.

import { TclError, TclLimitError } from "../error.ts";
import { evaluateText } from "../expression.ts";
import { type CommandDefinition, completion, type Interpreter } from "../interpreter.ts";
import { formatList } from "../list.ts";
import { locateIn, type Origin } from "../origin.ts";
import { parseSubstitutions } from "../parser.ts";
import type { Command, Part, Script } from "../script.ts";
import { matcherOf } from "./regexps.ts";
import { arg, command, integerArg, many, matches, optionOf } from "./shared.ts";

function condition(
  interp: Interpreter,
  argv: readonly string[],
  site: Command,
  i: number,
): boolean {
  try {
    return interp.expressionOf(site, i, arg(argv, i)).test(interp);
  } catch (error) {
    if (error instanceof TclError && error.offset < 0) {
      error.offset = interp.offsetOf(site, site.words[i], error.details.within);
    }
    throw error;
  }
}

function ifCommand(interp: Interpreter, argv: readonly string[], site: Command): string {
  let i = 1;
  for (;;) {
    if (i >= argv.length) {
      throw new TclError("TCL_ARGUMENTS", `wrong # args: no expression after "${argv[i - 1]}"`);
    }
    const holds = condition(interp, argv, site, i);
    i += argv[i + 1] === "then" ? 2 : 1;
    if (i >= argv.length) {
      throw new TclError("TCL_ARGUMENTS", "wrong # args: no script after the condition of if", {
        hint: "The opening brace of the body must be on the same line as the condition.",
      });
    }
    if (holds) return interp.run(interp.scriptOf(site, i, arg(argv, i)));
    i += 1;
    if (i >= argv.length) return "";
    if (argv[i] === "elseif") {
      i += 1;
      continue;
    }
    if (argv[i] === "else") i += 1;
    if (i !== argv.length - 1) {
      const hint = 'Write "elseif {condition} {body}" or "else {body}".';
      throw new TclError("TCL_ARGUMENTS", "wrong # args: extra words after if", { word: i, hint });
    }
    return interp.run(interp.scriptOf(site, i, arg(argv, i)));
  }
}

/** Runs a loop body; false when the loop must end. Leaves the code alone for return and errors. */
function runBody(interp: Interpreter, body: Script): boolean {
  interp.run(body);
  if (interp.code === completion.ok) return true;
  if (interp.code === completion.continue) {
    interp.code = completion.ok;
    return true;
  }
  return false;
}

/** After a loop: `break` ends here, everything else goes on outwards. */
function endLoop(interp: Interpreter): string {
  if (interp.code === completion.break) interp.code = completion.ok;
  return interp.code === completion.ok ? "" : interp.returned;
}

function whileCommand(interp: Interpreter, argv: readonly string[], site: Command): string {
  const body = interp.scriptOf(site, 2, arg(argv, 2));
  while (condition(interp, argv, site, 1)) {
    if (!runBody(interp, body)) break;
  }
  return endLoop(interp);
}

function forCommand(interp: Interpreter, argv: readonly string[], site: Command): string {
  interp.run(interp.scriptOf(site, 1, arg(argv, 1)));
  if (interp.code !== completion.ok) return endLoop(interp);
  const next = interp.scriptOf(site, 3, arg(argv, 3));
  const body = interp.scriptOf(site, 4, arg(argv, 4));
  while (condition(interp, argv, site, 2)) {
    if (!runBody(interp, body)) break;
    if (!runBody(interp, next)) break;
  }
  return endLoop(interp);
}

interface Iteration {
  readonly names: readonly string[];
  readonly values: readonly string[];
}

function iterations(interp: Interpreter, argv: readonly string[]): Iteration[] {
  const lists: Iteration[] = [];
  for (let i = 1; i + 2 < argv.length; i += 2) {
    const names = parseListArg(interp, argv, i);
    if (names.length === 0) {
      throw new TclError("TCL_ARGUMENTS", "foreach varlist is empty", { word: i });
    }
    lists.push({ names, values: parseListArg(interp, argv, i + 1) });
  }
  return lists;
}

function parseListArg(
  interp: Interpreter,
  argv: readonly string[],
  word: number,
): readonly string[] {
  try {
    return interp.list(arg(argv, word));
  } catch (error) {
    if (error instanceof TclError && error.offset < 0) {
      throw new TclError(error.code, error.message, { ...error.details, word });
    }
    throw error;
  }
}

function loopLists(
  interp: Interpreter,
  argv: readonly string[],
  site: Command,
  collect: ((value: string) => void) | undefined,
): string {
  if (argv.length % 2 !== 0) {
    throw new TclError(
      "TCL_ARGUMENTS",
      `wrong # args: should be "${argv[0]} varList list ?varList list ...? body"`,
    );
  }
  const lists = iterations(interp, argv);
  const rounds = lists.map(({ names, values }) => Math.ceil(values.length / names.length));
  const body = interp.scriptOf(site, argv.length - 1, arg(argv, argv.length - 1));
  for (let round = 0; round < Math.max(...rounds); round += 1) {
    interp.step(1);
    for (const { names, values } of lists) {
      names.forEach((name, at) => {
        interp.set(name, values[round * names.length + at] ?? "");
      });
    }
    const result = interp.run(body);
    if (interp.code === completion.ok) collect?.(result);
    else if (interp.code === completion.continue) interp.code = completion.ok;
    else break;
  }
  return endLoop(interp);
}

function foreach(interp: Interpreter, argv: readonly string[], site: Command): string {
  return loopLists(interp, argv, site, undefined);
}

function lmap(interp: Interpreter, argv: readonly string[], site: Command): string {
  const results: string[] = [];
  let bytes = 0;
  const result = loopLists(interp, argv, site, (value) => {
    bytes += value.length + 3;
    interp.memory.reserve(bytes);
    results.push(value);
  });
  return interp.code === completion.ok ? formatList(results) : result;
}

function switchCommand(interp: Interpreter, argv: readonly string[], site: Command): string {
  let mode: "-exact" | "-glob" | "-regexp" = "-exact";
  let nocase = false;
  let i = 1;
  for (; arg(argv, i).startsWith("-") && i < argv.length - 1; i += 1) {
    const option = optionOf(arg(argv, i), ["-exact", "-glob", "-nocase", "-regexp", "--"], i);
    if (option === "--") {
      i += 1;
      break;
    }
    if (option === "-nocase") nocase = true;
    else mode = option;
  }
  const given = arg(argv, i);
  const hits = (pattern: string): boolean => {
    if (mode === "-regexp") return matcherOf(interp, pattern, nocase).find(given, 0) !== undefined;
    const [wanted, value] = nocase
      ? [pattern.toLowerCase(), given.toLowerCase()]
      : [pattern, given];
    return mode === "-glob" ? matches(interp, wanted, value) : wanted === value;
  };
  const inline = argv.length === i + 2;
  const clauses = inline ? parseListArg(interp, argv, i + 1) : argv.slice(i + 1);
  if (clauses.length === 0 || clauses.length % 2 !== 0) {
    const hint = "Each pattern needs a body; comments between patterns count as words.";
    throw new TclError("TCL_ARGUMENTS", "extra switch pattern with no body", { word: i + 1, hint });
  }
  for (let c = 0; c < clauses.length; c += 2) {
    const pattern = arg(clauses, c);
    const isDefault = pattern === "default" && c + 2 === clauses.length;
    if (!isDefault && !hits(pattern)) continue;
    let body = c + 1;
    while (clauses[body] === "-" && body + 2 < clauses.length) body += 2;
    if (!inline) return interp.run(interp.scriptOf(site, i + 1 + body, arg(clauses, body)));
    return interp.evalText(arg(clauses, body), interp.originOf(site, i + 1));
  }
  return "";
}

const returnCodes = new Map<string, number>([
  ["ok", 0],
  ["error", 1],
  ["return", 2],
  ["break", 3],
  ["continue", 4],
]);

function returnCommand(interp: Interpreter, argv: readonly string[]): string {
  let code = 0;
  let level = 1;
  let i = 1;
  for (; i + 1 < argv.length; i += 2) {
    const option = arg(argv, i);
    const value = arg(argv, i + 1);
    if (option === "-code") code = returnCodes.get(value) ?? integerArg(argv, i + 1);
    else if (option === "-level") level = integerArg(argv, i + 1);
    else if (!option.startsWith("-")) break;
  }
  const value = i < argv.length ? arg(argv, i) : "";
  if (code === 1) throw new TclError("TCL_ERROR", value);
  interp.returned = value;
  // `return -code break` acts where the procedure was called; the procedure turns it on.
  interp.returnCode = code === 2 ? completion.ok : code;
  interp.code = level === 0 ? code : completion.return;
  return value;
}

/** The words of an eval-like command joined into a script, with the place of each piece. */
export function joinScript(
  interp: Interpreter,
  argv: readonly string[],
  site: Command,
  from: number,
): { readonly text: string; readonly origin: Origin } {
  if (argv.length === from + 1) {
    return { text: arg(argv, from), origin: interp.originOf(site, from) };
  }
  let text = "";
  const origin: { text: number; source: number; exact: boolean }[] = [];
  for (let i = from; i < argv.length; i += 1) {
    const piece = arg(argv, i).trim();
    if (piece === "") continue;
    if (text !== "") text += " ";
    const word = site.plain ? site.words[i] : site.words[0];
    const source = word === undefined ? -1 : locateIn(site.script.origin, word.start);
    if (source >= 0) origin.push({ text: text.length, source, exact: word?.literal === piece });
    interp.memory.reserve(text.length + piece.length);
    text += piece;
  }
  if (origin[0] !== undefined) origin[0] = { ...origin[0], text: 0 };
  return { text, origin };
}

function evalCommand(interp: Interpreter, argv: readonly string[], site: Command): string {
  if (argv.length === 2) return interp.run(interp.scriptOf(site, 1, arg(argv, 1)));
  const { text, origin } = joinScript(interp, argv, site, 1);
  return interp.evalText(text, origin);
}

function catchCommand(interp: Interpreter, argv: readonly string[], site: Command): string {
  let result: string;
  let code: number;
  try {
    result = interp.run(interp.scriptOf(site, 1, arg(argv, 1)));
    code = interp.code;
    if (code === completion.return) result = interp.returned;
  } catch (error) {
    if (!(error instanceof TclError) || error instanceof TclLimitError) throw error;
    // An error costs more than a command: its place and text are made for it.
    interp.step(10);
    result = error.message;
    code = 1;
  }
  if (interp.exited !== undefined) return result;
  interp.code = completion.ok;
  if (argv.length > 2) interp.set(arg(argv, 2), result);
  if (argv.length > 3) interp.set(arg(argv, 3), formatList(["-code", `${code}`, "-level", "0"]));
  return `${code}`;
}

function exprCommand(interp: Interpreter, argv: readonly string[], site: Command): string {
  if (argv.length === 2) {
    return evaluateText(interp, interp.expressionOf(site, 1, arg(argv, 1)));
  }
  const { text, origin } = joinScript(interp, argv, site, 1);
  return evaluateText(interp, interp.dynamicExpression(text, origin));
}

function subst(interp: Interpreter, argv: readonly string[], site: Command): string {
  const off = new Set<string>();
  const options = ["-nobackslashes", "-nocommands", "-novariables"] as const;
  let i = 1;
  for (; i < argv.length - 1; i += 1) off.add(optionOf(arg(argv, i), options, i));
  const text = arg(argv, i);
  const origin = interp.originOf(site, i);
  interp.scan(text.length);
  const { parts, fault } = parseSubstitutions(text, origin);
  if (fault !== undefined) throw new TclError(fault.code, fault.message, { word: i });
  if (off.size === 0) return interp.substitute(parts, origin);
  if (off.has("-nobackslashes")) {
    const hint = "Only -nocommands and -novariables are available.";
    throw new TclError("TCL_FORBIDDEN", "subst -nobackslashes is not available", { hint });
  }
  const kept = parts.map((part): Part => {
    const isScript = part.kind === "script";
    if (isScript && off.has("-nocommands")) {
      return { kind: "text", value: sourceOf(text, part.script) };
    }
    if (!isScript && part.kind !== "text" && off.has("-novariables")) {
      return { kind: "text", value: referenceOf(text, part.start) };
    }
    return part;
  });
  return interp.substitute(kept, origin);
}

function sourceOf(text: string, script: Script): string {
  const first = script.commands[0]?.start ?? script.end - 1;
  const open = text.lastIndexOf("[", first);
  return text.slice(open, script.end);
}

function referenceOf(text: string, start: number): string {
  const match = /\$(?:\{[^}]*\}|(?:\w|::)+(?:\([^)]*\))?)/y;
  match.lastIndex = start;
  return match.exec(text)?.[0] ?? "$";
}

function exit(interp: Interpreter, argv: readonly string[]): string {
  interp.exited = argv.length > 1 ? integerArg(argv, 1) : 0;
  interp.code = completion.return;
  return "";
}

/** Commands that decide what runs. */
export const controlCommands: readonly CommandDefinition[] = [
  command(
    "if",
    "condition ?then? body ?elseif condition body ...? ?else? ?body?",
    1,
    many,
    ifCommand,
  ),
  command("while", "test command", 3, 3, whileCommand),
  command("for", "start test next command", 5, 5, forCommand),
  command("foreach", "varList list ?varList list ...? command", 4, many, foreach),
  command("lmap", "varList list ?varList list ...? command", 4, many, lmap),
  command("switch", "?options? string pattern body ?pattern body ...?", 3, many, switchCommand),
  command("break", "", 1, 1, (interp) => {
    interp.code = completion.break;
    return "";
  }),
  command("continue", "", 1, 1, (interp) => {
    interp.code = completion.continue;
    return "";
  }),
  command("return", "?-code code? ?value?", 1, many, returnCommand),
  command("eval", "arg ?arg ...?", 2, many, evalCommand),
  command("catch", "script ?resultVarName? ?optionVarName?", 2, 4, catchCommand),
  command("error", "message ?errorInfo? ?errorCode?", 2, 4, (_interp, argv) => {
    throw new TclError("TCL_ERROR", arg(argv, 1), { word: 1 });
  }),
  command("expr", "arg ?arg ...?", 2, many, exprCommand),
  command("subst", "?-nobackslashes? ?-nocommands? ?-novariables? string", 2, 5, subst),
  command("exit", "?returnCode?", 1, 2, exit),
];
