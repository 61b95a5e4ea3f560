// SPDX-License-Identifier: MIT
// Firewalls: `new Firewall` and its methods. [EMULAB-NS 6.7] Muster builds none: the model carries
// no firewall, the rows do, and the file is told so.

import type { Command } from "../tcl/script.ts";
import { type NsContext, NsFault } from "./context.ts";
import { type Call, type MethodTable, method, word } from "./method.ts";
import type { FirewallObject } from "./objects.ts";

const firstRule = 100;
const numberedRuleEnd = 50_000;
const types = ["ipfw", "ipfw2-vlan"];
const plannedTypes = ["ipfw2", "ipchains"];
const styles = ["open", "closed", "basic", "emulab"];

/** Makes the firewall of the experiment; there is at most one. */
export function createFirewall(context: NsContext, site: Command): FirewallObject {
  const earlier = context.all("firewall")[0];
  if (earlier !== undefined) {
    const { line } = context.interp.sources.position(earlier.offset);
    throw new NsFault("NS_FIREWALL", "an experiment has at most one firewall", {
      word: 1,
      hint: `There is one already, made at line ${line}.`,
    });
  }
  if (!context.options.compat) {
    const message = "firewalls are not built: nodes are not guarded";
    context.warn(site, "NS_UNSUPPORTED", message, { word: 1 });
  }
  return context.add({
    kind: "firewall",
    name: context.nextClassName("Firewall"),
    isNamed: false,
    offset: context.offsetOf(site),
    type: "ipfw",
    style: "basic",
    parent: "",
    rules: [],
  });
}

function setType({ self, argv }: Call<FirewallObject>): string {
  const type = word(argv, 2);
  if (plannedTypes.includes(type)) {
    throw new NsFault("NS_FIREWALL", `[set-type] ${type} is not implemented`, {
      word: 2,
      hint: `Use ${types.join(" or ")}.`,
    });
  }
  self.type = oneOf("set-type", type, types);
  return "";
}

function oneOf(command: string, value: string, known: readonly string[]): string {
  if (known.includes(value)) return value;
  throw new NsFault("NS_FIREWALL", `[${command}] ${value} is not known`, {
    word: 2,
    hint: `Use one of ${known.join(", ")}.`,
  });
}

function addRule(self: FirewallObject, number: number, rule: string): string {
  if (self.rules.some((one) => one.number === `${number}`)) {
    throw new NsFault("NS_FIREWALL", `there is a rule ${number} already`, { word: 2 });
  }
  self.rules.push({ number: `${number}`, rule });
  return `${number}`;
}

function addNumberedRule({ self, argv }: Call<FirewallObject>): string {
  const text = word(argv, 2);
  const number = /^[0-9]{1,6}$/.test(text) ? Number(text) : -1;
  if (number < firstRule || number >= numberedRuleEnd) {
    throw new NsFault("NS_FIREWALL", `[add-numbered-rule] ${text} is not a rule number`, {
      word: 2,
      hint: `Rule numbers are from ${firstRule} to ${numberedRuleEnd - 1}.`,
    });
  }
  return addRule(self, number, word(argv, 3));
}

function addNextRule({ self, argv }: Call<FirewallObject>): string {
  const numbers = self.rules.map(({ number }) => Number(number));
  return addRule(self, Math.max(firstRule - 1, ...numbers) + 1, word(argv, 2));
}

/** Methods of firewalls. */
export const firewallMethods: MethodTable<FirewallObject> = new Map([
  method<FirewallObject>("set-type", types.join("|"), 1, 1, setType),
  method<FirewallObject>("set-style", styles.join("|"), 1, 1, ({ self, argv }) => {
    self.style = oneOf("set-style", word(argv, 2), styles);
    return "";
  }),
  method<FirewallObject>("add-rule", "rule", 1, 1, addNextRule),
  method<FirewallObject>("add-numbered-rule", "number rule", 2, 2, addNumberedRule),
  method<FirewallObject>("child-of", "firewall", 1, 1, ({ self, argv }) => {
    self.parent = word(argv, 2);
    return "";
  }),
]);
