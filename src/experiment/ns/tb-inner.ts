// SPDX-License-Identifier: MIT
// tb-* commands about inner testbeds, simulators, measurement and reservations: what belongs to the
// old system's own machinery. The rows carry what the specification names; a run does nothing with
// it and says so. [EMULAB-NS 9]

import { NsFault } from "./context.ts";
import { word } from "./method.ts";
import {
  type CommandCall,
  command,
  needFlag,
  needInteger,
  needLink,
  needNode,
  type TestbedCommand,
} from "./tb-shared.ts";
import { needType } from "./tb-types.ts";

const many = Number.POSITIVE_INFINITY;

/** Says that a run does nothing about the command. */
function ignore({ context, site, argv }: CommandCall): void {
  if (context.options.compat) return;
  const message = `${argv[0]} has no effect on a run here and is ignored`;
  context.warn(site, "NS_UNSUPPORTED", message);
}

interface AttributeWords {
  readonly role: string;
  readonly key: string;
  readonly value: string;
  readonly order: string;
}

function checkAttribute(call: CommandCall, words: AttributeWords, first: number): void {
  const rules = [
    [words.role, /^[-\w+]*$/, "role"],
    [words.key, /^[-\w.]+$/, "key"],
    [words.value, /^[^\n]*$/, "value"],
    [words.order, /^[0-9]+$/, "order"],
  ] as const;
  for (const [text, pattern, what] of rules) {
    if (pattern.test(text)) continue;
    throw new NsFault("NS_VALUE", `[${call.argv[0]}] ${text} is not a valid ${what}`, {
      word: first,
      within: text,
    });
  }
}

function setAttribute(call: CommandCall, at: number): void {
  const { argv, context } = call;
  const role = at === 1 ? "" : word(argv, 1);
  const [key, value] = [word(argv, at), word(argv, at + 1)];
  const words = { role, key, value, order: argv[at + 2] ?? "0" };
  checkAttribute(call, words, at);
  context.settings.innerAttributes.set(`${role}\n${key}\n${words.order}`, words);
  ignore(call);
}

function unsetAttribute(call: CommandCall, at: number): void {
  const role = at === 1 ? "" : word(call.argv, 1);
  const { innerAttributes } = call.context.settings;
  for (const [id, { key, role: known }] of innerAttributes) {
    if (key === word(call.argv, at) && known === role) innerAttributes.delete(id);
  }
}

function modelnetNodes(call: CommandCall): void {
  const { settings } = call.context;
  settings.set("modelnet_cores", needInteger(call, 1, 0, 1_000));
  settings.set("modelnet_edges", needInteger(call, 2, 0, 1_000));
  ignore(call);
}

/** `?-scale n? ?-rclass c? ...`: scales are numbers above 0. */
function checkScales(call: CommandCall, from: number): void {
  const names = ["-scale", "-rclass", "-alertscale", "-initscale"];
  const { argv } = call;
  for (let i = from; i < argv.length; i += 2) {
    const [name, value] = [word(argv, i), argv[i + 1]];
    if (!names.includes(name) || value === undefined) {
      const message = `bad option '${name}', should be one of: ${names.join(", ")}`;
      throw new NsFault("NS_OPTION", message, { word: i });
    }
    if (name !== "-rclass" && !(Number(value) > 0)) {
      throw new NsFault("NS_RANGE", `[${argv[0]}] ${value} is not a scale`, {
        word: i + 1,
        hint: "A scale is a number above 0.",
      });
    }
  }
}

function measurementPoint({ argv }: CommandCall): void {
  if (argv.length % 2 !== 0) {
    const hint = "Each field is a name and a type: tb-set-oml-mp name id type ...";
    throw new NsFault("NS_OML", `[${argv[0]}] needs pairs of a field and its type`, { hint });
  }
}

/** A command that is checked and then has no effect on a run. */
function machinery(
  name: string,
  usage: string,
  min: number,
  max: number,
  check: (call: CommandCall) => unknown,
): TestbedCommand {
  return command(name, usage, min, max, (call) => {
    check(call);
    ignore(call);
    return "";
  });
}

/** Commands about the old system's own machinery. */
export const innerCommands: readonly TestbedCommand[] = [
  command("tb-elab-in-elab", "0|1", 1, 1, (call) => {
    if (needInteger(call, 1, 0, 1) === "1") call.context.settings.set("elab_in_elab", "1");
    return "";
  }),
  command("tb-elab-in-elab-topology", "name", 1, 1, (call) => {
    call.context.settings.innerTopology = word(call.argv, 1);
    return "";
  }),
  command("tb-elabinelab-singlenet", "?0|1?", 0, 1, (call) => {
    const { interp, settings } = call.context;
    const on = call.argv.length === 1 ? "1" : needFlag(call, 1);
    interp.atLevel(0, () => interp.set("::GLOBALS::elabinelab_singlenet", on));
    if (on === "1") settings.set("elabinelab_singlenet", on);
    return "";
  }),
  ...(
    [
      ["tb-set-inner-elab-eid", "eid", "elabinelab_eid"],
      ["tb-set-elabinelab-cvstag", "tag", "elabinelab_cvstag"],
    ] as const
  ).map(([name, usage, column]) =>
    command(name, usage, 1, 1, (call) => {
      call.context.settings.set(column, word(call.argv, 1));
      return "";
    }),
  ),
  command("tb-set-elabinelab-attribute", "key value ?order?", 2, 3, (call) => {
    setAttribute(call, 1);
    return "";
  }),
  command("tb-unset-elabinelab-attribute", "key", 1, 1, (call) => {
    unsetAttribute(call, 1);
    return "";
  }),
  command("tb-set-elabinelab-role-attribute", "role key value ?order?", 3, 4, (call) => {
    setAttribute(call, 2);
    return "";
  }),
  command("tb-unset-elabinelab-role-attribute", "role key", 2, 2, (call) => {
    unsetAttribute(call, 2);
    return "";
  }),
  machinery("tb-use-modelnet", "0|1", 1, 1, (call) => needFlag(call, 1)),
  command("tb-set-modelnet-physnodes", "cores edges", 2, 2, (call) => {
    modelnetNodes(call);
    return "";
  }),
  machinery("tb-set-sim-os", "os", 0, many, () => undefined),
  machinery("tb-feedback-vnode", "node hardware ?-option value ...?", 2, many, (call) => {
    needNode(call, 1);
    needType(call, 2);
    checkScales(call, 3);
  }),
  machinery("tb-feedback-vlan", "node lan ?-option value ...?", 2, many, (call) => {
    needNode(call, 1);
    needLink(call, 2, "lan");
    checkScales(call, 3);
  }),
  machinery("tb-feedback-vlink", "link ?-option value ...?", 1, many, (call) => {
    needLink(call, 1, "link");
    checkScales(call, 2);
  }),
  machinery("tb-set-use-oml", "?0|1?", 0, 1, () => undefined),
  machinery("tb-set-oml-server", "node", 1, 1, (call) => needNode(call, 1)),
  machinery("tb-set-oml-mp", "name field type ?field type ...?", 1, many, measurementPoint),
  machinery("tb-set-oml-use-control", "0|1", 1, 1, (call) => needFlag(call, 1)),
];
