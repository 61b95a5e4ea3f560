// SPDX-License-Identifier: MIT
// The network of a run: every server and every broker in a network namespace of its own, at two
// bridges in that of the run. By `back` servers reach brokers and brokers each other, by `front`
// clients reach servers, so that either side can be cut alone. Needs a mount namespace whose /run
// is nobody else's (inside.ts).
import { execFileSync } from "node:child_process";

export type Side = "back" | "front";

const subnet = { back: "10.77.0", front: "10.78.0" } as const;

export class Network {
  constructor() {
    const lines = ["link set lo up"];
    for (const side of ["back", "front"] as const) {
      lines.push(`link add ${side} type bridge`, `link set ${side} up`);
      lines.push(`addr add ${subnet[side]}.254/24 dev ${side}`);
    }
    ip(lines);
  }

  /** A namespace with an address on each of these sides. @param host last part of its addresses */
  add(name: string, host: number, sides: readonly Side[]): void {
    execFileSync("ip", ["netns", "add", name]);
    for (const side of sides) {
      ip([
        `link add ${linkOf(name, side)} type veth peer name ${side} netns ${name}`,
        `link set ${linkOf(name, side)} master ${side} up`,
      ]);
      ip([`addr add ${subnet[side]}.${host}/24 dev ${side}`, `link set ${side} up`], name);
    }
    ip(["link set lo up"], name);
  }

  address(host: number, side: Side): string {
    return `${subnet[side]}.${host}`;
  }

  /** The command that runs a program there; it keeps its process id. */
  within(name: string, program: readonly string[]): readonly string[] {
    return ["nsenter", `--net=/run/netns/${name}`, "--", ...program];
  }

  /** As when somebody pulls the plug: nothing comes through, and nobody is told. */
  cut(name: string, side: Side): void {
    ip([`link set ${linkOf(name, side)} down`]);
  }

  mend(name: string, side: Side): void {
    ip([`link set ${linkOf(name, side)} up`]);
  }
}

/** In the namespace of the run; at most 15 characters. */
function linkOf(name: string, side: Side): string {
  return `${name}-${side}`;
}

function ip(lines: readonly string[], namespace?: string): void {
  const where = namespace === undefined ? [] : ["-netns", namespace];
  execFileSync("ip", [...where, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
