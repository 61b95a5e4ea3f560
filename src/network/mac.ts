// SPDX-License-Identifier: MIT
// Ethernet addresses of the interfaces of a run. Pure. Locally administered, and the same in every
// run of the same file, so that what a node is told by its configuration server is what it has.

/** Of an experiment's interface, 12 digits. @param node number of the node in the file */
export function linkMac(node: number, port: number): string {
  return `024d${hex(node, 6)}${hex(port, 2)}`;
}

/** Of the control interface. @param index as its control address has it; -1 is the run itself */
export function controlMac(index: number): string {
  return index < 0 ? "024effffff01" : `024e${hex(index, 8)}`;
}

/** `02:4d:...` */
export function withColons(mac: string): string {
  return (mac.match(/../g) ?? []).join(":");
}

/** As the shaper compares them. @param mac with colons or without */
export function macNumber(mac: string): number {
  return Number.parseInt(mac.replaceAll(":", ""), 16);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
