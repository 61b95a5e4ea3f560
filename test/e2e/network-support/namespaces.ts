// SPDX-License-Identifier: MIT
// Network namespaces for tests and benchmarks of links: each is held by a `cat` that ends with
// what started it. Needs root. They have no names, so that nothing is left behind.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import type {
  LinkEnd,
  LinkEnds,
  NamespaceCommands,
  NetNamespace,
} from "../../../src/network/link-backend.ts";
import { NetworkError } from "../../../src/network/link-backend.ts";

export interface TestNamespaces {
  readonly commands: NamespaceCommands;
  readonly nodes: ReadonlyMap<string, NetNamespace>;
  /** Ends of a link between nodes; slots and interface numbers go on from link to link. */
  link(name: string, kind: "link" | "lan", nodes: readonly string[]): LinkEnds;
  /** What the interfaces get once they are there: `10.NET.0.MEMBER/24` for each. */
  configure(link: LinkEnds, net: number): Promise<void>;
  run(node: string, argv: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

const noDevices = ["link set lo up"];

export async function makeNamespaces(names: readonly string[]): Promise<TestNamespaces> {
  const holders: ChildProcess[] = [];
  const hold = async (): Promise<NetNamespace> => {
    const holder = spawn("unshare", ["--net", "--", "sh", "-c", "echo; exec cat"]);
    holders.push(holder);
    await once(holder.stdout, "data");
    return { pid: holder.pid ?? -1 };
  };
  const hub = await hold();
  const nodes = new Map<string, NetNamespace>();
  for (const name of names) nodes.set(name, await hold());
  const commands = commandsIn(hub);
  for (const namespace of [hub, ...nodes.values()]) await commands.ip(namespace, noDevices);
  let slot = 0;
  const ports = new Map<string, number>();
  return {
    commands,
    nodes,
    link: (name, kind, members) => ({
      name,
      kind,
      ends: members.map((node): LinkEnd => {
        const port = ports.get(node) ?? 0;
        ports.set(node, port + 1);
        const namespace = nodes.get(node);
        if (namespace === undefined) throw new Error(`there is no node ${node}`);
        const mac = `02:4d:00:00:${hex(slot >> 8)}:${hex(slot & 255)}`;
        const interfaceName = `eth${port + 1}`;
        return { link: name, node, port, namespace, interfaceName, mac, mtu: 1500, slot: slot++ };
      }),
    }),
    async configure(link, net) {
      for (const [index, { namespace, interfaceName }] of link.ends.entries()) {
        const neighbours = link.ends.flatMap(({ mac }, other) =>
          other === index
            ? []
            : [
                `neigh replace 10.${net}.0.${other + 1} lladdr ${mac} dev ${interfaceName} nud permanent`,
              ],
        );
        await commands.ip(namespace, [
          `addr add 10.${net}.0.${index + 1}/24 dev ${interfaceName}`,
          `link set ${interfaceName} up`,
          ...neighbours,
        ]);
      }
    },
    run: (node, argv) => commands.run(nodes.get(node) ?? hub, argv),
    async stop() {
      await Promise.all(
        holders.map(async (holder) => {
          if (holder.exitCode !== null || holder.signalCode !== null) return;
          const exited = once(holder, "exit");
          holder.kill("SIGKILL");
          await exited;
        }),
      );
    },
  };
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0");

function commandsIn(hub: NetNamespace): NamespaceCommands {
  const enter: NamespaceCommands["enter"] = ({ pid }, argv) => [
    "nsenter",
    `--net=/proc/${pid}/ns/net`,
    "--",
    ...argv,
  ];
  const run: NamespaceCommands["run"] = (namespace, argv, input) => {
    const [program = "", ...words] = enter(namespace, argv);
    return new Promise((resolve, reject) => {
      const child = execFile(program, words, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new NetworkError(`${argv.join(" ")}: ${stderr}${stdout}`));
      });
      // A program that ends first says more by its status.
      child.stdin?.on("error", () => undefined).end(input ?? "");
    });
  };
  return {
    hub,
    enter,
    run,
    async ip(namespace, lines) {
      await run(namespace, ["ip", "-batch", "-"], `${lines.join("\n")}\n`);
    },
    spawn(namespace, argv) {
      const [program = "", ...words] = enter(namespace, argv);
      return spawn("setpriv", ["--pdeathsig", "KILL", program, ...words]);
    },
  };
}
