// SPDX-License-Identifier: MIT
// Goal: nodes with a network of their own (issue 7): addresses, routes and names as the file gives
// them; beside that the servers of the run and nothing else of this machine; and nothing left.
// Method: real name spaces and the programs a user would use, as root and as an ordinary user; a
// look at the whole machine before and after a Muster that is killed with -9.
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/host/clock.ts";
import { newRunId } from "../../src/host/ids.ts";
import { Gate } from "../../src/network/gate.ts";
import type { RunNamespaceCommands } from "../../src/network/namespace-commands.ts";
import { blockOf } from "../../src/testbed/nodes/addresses.ts";
import type { NodeBackend } from "../../src/testbed/nodes/index.ts";
import {
  expectHarmsItselfAlone,
  expectMadeGroupsGone,
  expectRunLimitTold,
  hasGroups,
} from "./nodes-support/group-limits.ts";
import {
  endHosts,
  Host,
  isRoot,
  modes,
  runOn,
  scratchDirectory,
  startNodes,
  untilEmpty,
} from "./nodes-support/harness.ts";
import { leftovers, lookAtMachine, partsOfRun } from "./nodes-support/machine.ts";
import { lanOf, ring } from "./nodes-support/ring.ts";
import { Command, type CommandOptions, type Ended, repository } from "./support/command.ts";

const SETTLE_MS = 15_000;

let out = "";
const backends: NodeBackend[] = [];

beforeEach(() => {
  out = scratchDirectory();
});

afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.stop()));
  await endHosts();
  rmSync(out, { recursive: true, force: true });
});

async function start(...given: Parameters<typeof ring>): Promise<NodeBackend> {
  const backend = await startNodes(out, ring(...given));
  backends.push(backend);
  return backend;
}

async function say(backend: NodeBackend, node: string, command: string): Promise<string> {
  const { status, stdout, stderr } = await runOn(backend, node, command);
  expect({ command, exitCode: status.exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return stdout;
}

/** Asks a server in bash, which needs no program of its own for it. */
const ask = (address: string, port: number): string =>
  `timeout 5 bash -c 'exec 3<>/dev/tcp/${address}/${port} && echo hello >&3 && head -n 1 <&3'`;

/** Says who it thinks has called. */
async function listenAt(host: string, port = 0) {
  const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (bytes) =>
      socket.end(`${String(bytes).trim()} at ${socket.localAddress}\n`),
    );
  });
  await new Promise<void>((resolve) => server.listen({ host, port }, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  return { port: address.port, close: () => server.close() };
}

describe.runIf(modes.includes("namespace"))("nodes with a network of their own", () => {
  test("have the links of the file: addresses, names, routes, neighbours", async () => {
    const backend = await start(4, { links: [lanOf([0, 2, 3])] });
    expect(backend.doors?.links).toBe("none");
    const ofUsers = /see themselves as root|have no limit of/;
    expect(backend.lost.filter((one) => !ofUsers.test(one))).toEqual([]);
    const addresses = await say(backend, "node0", "ip -4 -o addr");
    expect(addresses).toMatch(/eth0 +inet 172\.31\.0\.1\/16/);
    expect(addresses).toMatch(/eth1 +inet 10\.1\.0\.2\/24/);
    expect(addresses).toMatch(/eth2 +inet 10\.1\.3\.3\/24/);
    expect(addresses).toMatch(/eth3 +inet 10\.2\.0\.2\/24/);
    expect(await say(backend, "node0", "ip -o link show dev link0")).toContain("02:4d:00:00:00:00");
    expect(await say(backend, "node0", "ls /sys/class/net")).toBe("eth0\neth1\neth2\neth3\nlo\n");
    // Nothing but neighbours that cannot be lost: no storm of questions when all begin at once.
    const neighbours = await say(backend, "node0", "ip -4 neigh show nud all | grep -v NOARP");
    expect(neighbours.trim().split("\n")).toHaveLength(5);
    expect(neighbours.split("\n").filter((line) => line && !line.includes("PERMANENT"))).toEqual(
      [],
    );
    // Link 1 is between node1 and node2, which node0 is not on.
    expect(await say(backend, "node0", "ip route get 10.1.1.3")).toMatch(
      /via 10\.(1\.0\.3|2\.0\.4)/,
    );
    const far = await say(backend, "node0", "ping -c 1 -W 5 10.1.1.3; ping -c 1 -W 5 node2-lan0");
    expect(far.match(/ 0% packet loss/g)).toHaveLength(2);
    expect(await say(backend, "node3", "ping -c 1 -W 5 node1")).toContain(" 0% packet loss");
    // By the control network.
    const control = "node2.exp.proj.muster.local";
    expect(await say(backend, "node0", `ping -c 1 -W 5 ${control}`)).toContain("(172.31.0.3)");
  });

  test("have hosts and resolver files of their own, which leave the machine's alone", async () => {
    const backend = await start(2);
    const files = ["/etc/hosts", "/etc/resolv.conf"].filter((path) => existsSync(path));
    expect(files).toContain("/etc/hosts");
    const inodes = (): bigint[] => files.map((path) => statSync(path, { bigint: true }).ino);
    const texts = (): string[] => files.map((path) => readFileSync(path, "utf8"));
    const before = [inodes(), texts()];
    const own = async (node: string): Promise<string[]> =>
      (await say(backend, node, `stat -L -c %i ${files.join(" ")}`)).trim().split("\n");
    const all = [...(await own("node0")), ...(await own("node1")), ...inodes().map(String)];
    expect(new Set(all).size).toBe(3 * files.length);
    for (const file of files) await say(backend, "node0", `echo '# mine' >${file}`);
    expect([inodes(), texts()]).toEqual(before);
    expect(await say(backend, "node1", `cat ${files.join(" ")}`)).not.toContain("mine");
    // Nobody is waited for.
    const asked = await runOn(backend, "node1", "timeout 20 getent hosts nobody.example");
    expect(asked.status.exitCode).toBe(2);
  });

  test("get other links while they run, and lose those that go, with their routes", async () => {
    const backend = await start(3, { links: [lanOf([0, 1])] });
    const there = (node: string): Promise<string> =>
      say(
        backend,
        node,
        "ls /sys/class/net; ip -4 route | grep -v eth0; cat /proc/sys/net/ipv4/ip_forward",
      );
    const before = await there("node2");
    expect(before).toMatch(/^10\.2\.0\.0\/24 via /m);
    const { nodes, links, network } = ring(3, { links: [lanOf([1, 2])] });
    if (network === undefined || !("topology" in network)) throw new Error("no network");
    expect(backend.relinkRefusal?.({ network, links, shapes: new Map() })).toBe(undefined);
    await backend.relink?.({ network, links, shapes: new Map() }, nodes);
    // node1 has it anew, with another member; node0 gets there by a link that it had.
    expect(await there("node0")).toMatch(
      /^eth0\neth1\neth2\nlo\n(.*\n)*10\.2\.0\.0\/24 via 10\.1\.[02]\./,
    );
    expect(await there("node2")).toContain("eth3\nlo\n");
    expect(await there("node2")).toMatch(/^10\.2\.0\.0\/24 dev eth3/m);
    expect(await say(backend, "node2", "ping -c 1 -W 5 10.2.0.3")).toContain(" 0% packet loss");
    expect(await say(backend, "node0", "ping -c 1 -W 5 10.2.0.4")).toContain(" 0% packet loss");
    expect(backend.nodes.get("node2")?.addresses.at(-1)).toMatchObject({
      ...{ link: "lan0", experiment: "10.2.0.4", loopback: "10.2.0.4" },
    });
    expect(backend.nodes.get("node0")?.addresses.map(({ link }) => link)).not.toContain("lan0");
    // Its bridge stays when it grows, and so does what goes over it.
    const whole = ring(3, { links: [lanOf([1, 2, 0])] });
    if (whole.network === undefined || !("topology" in whole.network))
      throw new Error("no network");
    const flow = say(backend, "node2", "ping -c 200 -i 0.01 -W 5 10.2.0.3 | tail -n 2");
    const more = { network: whole.network, links: whole.links, shapes: new Map() };
    await backend.relink?.(more, whole.nodes);
    expect(await say(backend, "node0", "ping -c 1 -W 5 10.2.0.4")).toContain(" 0% packet loss");
    expect(await say(backend, "node1", "ip neigh show dev eth3")).toContain("10.2.0.2 lladdr");
    expect(await flow).toContain(" 0% packet loss");
    const alone = ring(3, { routing: "none" });
    if (alone.network === undefined || !("topology" in alone.network)) throw new Error("none");
    const to = { network: alone.network, links: alone.links, shapes: new Map() };
    await backend.relink?.(to, alone.nodes);
    expect(await there("node2")).toMatch(
      /^eth0\neth1\neth2\nlo\n(10\.1\.\d\.0\/24 dev eth\d .*\n){2}0\n$/,
    );
    const control = { ...alone.network.control, subnet: "172.30.0.0/16" };
    expect(backend.relinkRefusal?.({ ...to, network: { ...alone.network, control } })).toMatch(
      /overlaps 172\.31\.0\.0\/16, the control network of the run/,
    );
  });

  test("are the same whether perl makes them or, where there is none, the shell", async () => {
    const seen = async (more: { readonly holders?: "shell" }): Promise<string> => {
      const own = join(out, more.holders ?? "perl");
      mkdirSync(own);
      const backend = await startNodes(own, { ...ring(2), ...more });
      backends.push(backend);
      return await say(
        backend,
        "node1",
        // Mounts by what they are, behind the numbers of this copy; then what else a node has.
        `cut -d ' ' -f 3,5-6 /proc/self/mountinfo | sed 's/^[0-9:]* //' | sort
        hostname; ls /sys/class/net
        cd /proc/sys/net && cat ipv4/ip_forward ipv4/conf/*/rp_filter ipv6/conf/*/addr_gen_mode
        readlink /proc/1/fd/0 /proc/1/fd/1; tr '\\0' '\\n' </proc/1/environ | cut -d = -f 1 | sort`,
      );
    };
    const byPerl = await seen({});
    const byShell = await seen({ holders: "shell" });
    expect(byPerl).toContain("node1.exp.proj.muster.local");
    expect(byPerl).toContain("MUSTER_RUN");
    expect(byPerl).toBe(byShell);
  });

  test("forward only where routing was asked for", async () => {
    const name = "a-link-whose-name-no-interface-may-have";
    const backend = await start(3, { routing: "none", links: [{ ...lanOf([0, 1]), name }] });
    expect(await say(backend, "node0", `ip -o link show dev ${name}`)).toContain("eth3");
    expect(await say(backend, "node0", "cat /proc/sys/net/ipv4/ip_forward")).toBe("0\n");
    expect(await say(backend, "node0", "ip route | grep -c via || true")).toBe("0\n");
    const { status } = await runOn(backend, "node0", "ping -c 1 -W 1 10.1.1.3");
    expect(status.exitCode).not.toBe(0);
  });

  test("reach the servers of the run as themselves, and no other server of this machine", async () => {
    const backend = await start(2);
    const node = backend.nodes.get("node1");
    const doors = backend.doors;
    if (node === undefined || doors === undefined) throw new Error("no node");
    const server = doors.seen(node.calledAt);
    // The port of events, at the address that stands for node1; and one that nobody has opened.
    const events = await listenAt(node.calledAt, 2917);
    const other = await listenAt("0.0.0.0");
    const door = await listenAt("127.0.0.1");
    try {
      expect(await say(backend, "node1", ask(server, 2917))).toBe(`hello at ${node.calledAt}\n`);
      const strange = "ip addr add 172.31.99.9/16 dev eth0; ip addr del 172.31.0.2/16 dev eth0";
      const back = "ip addr add 172.31.0.2/16 dev eth0";
      const { stdout } = await runOn(backend, "node1", `${strange}; ${ask(server, 2917)}; ${back}`);
      expect(stdout).toBe("");
      for (const port of [other.port, door.port]) {
        expect((await runOn(backend, "node1", ask(server, port))).status.exitCode).not.toBe(0);
        expect((await runOn(backend, "node1", ask("127.0.0.1", port))).status.exitCode).not.toBe(0);
      }
      await doors.open([{ kind: "tcp", port: door.port, behind: "machine" }]);
      expect(await say(backend, "node0", ask(server, door.port))).toBe("hello at 127.0.0.1\n");
    } finally {
      for (const one of [events, other, door]) one.close();
    }
  });

  test("pass a gate that holds so many connections and senders, and no more", async () => {
    const backend = await start(2);
    const node = backend.nodes.get("node0");
    const control = ring(2).network;
    if (node === undefined || control === undefined || !("control" in control)) throw new Error();
    const gate = new Gate({
      commands: backend.doors?.commands as RunNamespaceCommands,
      ...{ control: control.control, block: blockOf(node.calledAt), clock: systemClock },
      limits: { connectionsMax: 2, sendersMax: 1 },
    });
    const server = await listenAt(node.calledAt);
    const echo = createSocket("udp4");
    echo.on("message", (bytes, { port, address }) => echo.send(bytes, port, address));
    await new Promise<void>((resolve) => echo.bind({ address: node.calledAt }, resolve));
    const udp = echo.address().port;
    try {
      await gate.open([
        { kind: "tcp", port: server.port, behind: "called" },
        { kind: "udp", port: udp, behind: "called" },
      ]);
      const at = control.control.server;
      const hold = (rest: string) => `exec 4<>/dev/tcp/${at}/${server.port}; ${rest}`;
      // Two are held; what is read from a third one is its end.
      const third = `exec 5<>/dev/tcp/${at}/${server.port}; ${ask(at, server.port)}; echo end`;
      const bash = (script: string) => runOn(backend, "node0", ["bash", "-c", script]);
      expect((await bash(hold(ask(at, server.port)))).stdout).toContain("hello at");
      expect((await bash(hold(third))).stdout).toBe("end\n");
      const datagram = (fd: number) => `echo ${fd} >&${fd}; timeout 5 head -n 1 <&${fd}`;
      const open = (fd: number) => `exec ${fd}<>/dev/udp/${at}/${udp}`;
      // The first sender is forgotten for the second, and is another one when it comes again.
      const both = [open(4), open(5), datagram(4), datagram(5), datagram(4)].join("; ");
      expect((await bash(both)).stdout).toBe("4\n5\n4\n");
    } finally {
      gate.close();
      server.close();
      echo.close();
    }
  });

  test("come back with their links, and others come without", async () => {
    const backend = await start(3);
    const plan = ring(3).nodes.find(({ name }) => name === "node1");
    if (plan === undefined) throw new Error("no node");
    await backend.remove(["node1"], "keep-files");
    await backend.add([plan, { name: "node9", links: [] }]);
    const near = await say(backend, "node1", "ping -c 1 -W 5 10.1.0.2; ping -c 1 -W 5 10.1.1.3");
    expect(near.match(/ 0% packet loss/g)).toHaveLength(2);
    expect(await say(backend, "node9", "ip -4 -o addr")).toMatch(/eth0 +inet 172\.31\.0\.4\/16/);
    expect(await say(backend, "node9", "ping -c 1 -W 5 172.31.0.1")).toContain(" 0% packet loss");
  });

  test("are beside those of another run with the same addresses", async () => {
    const [one, other] = await Promise.all([
      start(2),
      startNodes(scratchBeside(), { ...ring(2), seed: process.pid + 1 }),
    ]);
    backends.push(other);
    await say(one, "node0", "ip link set dev link0 down");
    expect(await say(other, "node0", "ping -c 1 -W 5 10.1.0.3")).toContain(" 0% packet loss");
  });
});

function muster(argv: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return new Command(join(repository, "bin/muster"), argv, options).ended;
}

function scratchBeside(): string {
  return `${out}/other`;
}

describe.runIf(modes.includes("namespace"))("archives of a node", () => {
  test("are unpacked before it boots, for it alone, and refused with the reason", async () => {
    const archive = join(out, "x.tgz");
    execFileSync("tar", ["-czf", archive, "-C", import.meta.dirname, "netns.test.ts"]);
    const [first, ...others] = ring(2).nodes;
    if (first === undefined) throw new Error("no node");
    const there = { directory: "/opt/muster-test/deep", file: archive };
    const wrong = { directory: "/etc", file: archive };
    const nodes = [{ ...first, archives: [there, wrong] }, ...others];
    const backend = await startNodes(out, { ...ring(2), nodes });
    backends.push(backend);
    expect(await say(backend, "node0", "ls /opt/muster-test/deep")).toBe("netns.test.ts\n");
    expect(await say(backend, "node1", "ls /opt/muster-test/deep")).toBe("");
    expect(backend.lost.join("\n")).toMatch(/node0: .* in \/etc: it holds files of this machine/);
    expect(existsSync("/opt/muster-test")).toBe(false);
    // A node that is made anew has them again.
    await backend.remove(["node0"], "remove-files");
    await backend.add(nodes.slice(0, 1));
    expect(await say(backend, "node0", "ls /opt/muster-test/deep")).toBe("netns.test.ts\n");
  });

  test("that cannot be unpacked end the run, with what tar says", async () => {
    const archives = [{ directory: "/opt/muster-test", file: "/nowhere.tgz" }];
    const nodes = ring(2).nodes.map((node) => ({ ...node, archives }));
    const starting = startNodes(out, { ...ring(2), nodes });
    await expect(starting).rejects.toThrow(/nowhere.tgz cannot be unpacked in .* of node[01]: tar/);
  });
});

describe.runIf(modes.includes("namespace"))("a network that cannot be", () => {
  test("by any machine is refused, whether nodes are asked to have one or not", () => {
    const lan = lanOf([0, 1]);
    const members = lan.members.map((member) => ({ ...member, address: "10.2.0.2" }));
    const links = [{ ...lan, members }];
    const why = /both have the address 10\.2\.0\.2/;
    expect(() => ring(2, { links })).toThrow(why);
    expect(() => ring(2, { links, wanted: "possible" })).toThrow(why);
  });

  test("here is said by the machine's own words", async () => {
    const given = ring(2, { links: [lanOf([0, 1])] });
    const { network } = given;
    if (network === undefined || !("topology" in network)) throw new Error("no network");
    const shapeLinks: typeof network.shapeLinks = (commands) => ({
      ...network.shapeLinks(commands),
      backend: {
        ...network.shapeLinks(commands).backend,
        attach: () => commands.ip(commands.hub, ["link add x type nonsense"]),
      },
    });
    const asked = { ...given, network: { ...network, shapeLinks } };
    await expect(startNodes(out, asked)).rejects.toThrow(/network of their own .*link add x type/);
    const shared = await startNodes(out, {
      ...given,
      network: { ...network, shapeLinks, isRequired: false },
    });
    backends.push(shared);
    expect(shared.doors).toBeUndefined();
    expect(shared.lost[0]).toMatch(/nodes share the network of this machine: .*link add x type/);
  });
});

describe.runIf(modes.includes("namespace"))("a Muster that is killed", () => {
  test.each(isRoot ? ["root", "an ordinary user"] : ["an ordinary user"])(
    "leaves nothing of a network of %s",
    async (who) => {
      const before = lookAtMachine();
      const runId = newRunId();
      chmodSync(out, 0o777);
      const program = "ping -c 1 -W 5 10.1.1.3 && ping -q -i 0.2 10.1.0.3";
      const host = new Host(
        {
          ...{ runId, mode: "namespace", seed: process.pid, nodes: 3, out, hasNetwork: true },
          programs: [["sh", "-c", program]],
        },
        who === "root" || !isRoot
          ? []
          : ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
      );
      const { lost, control, errors } = await host.answer("up");
      expect({ errors, control }).toEqual({ errors: [], control: "172.31.0.1" });
      expect(lost.join("\n")).not.toContain("share the network");
      const log = `${out}/nodes/node0/local/logs/p0`;
      const pinged = () => (readFileSync(log, "utf8").includes("1 received") ? [] : ["not yet"]);
      expect(await untilEmpty(pinged, SETTLE_MS)).toEqual([]);
      const parts = partsOfRun(before, lookAtMachine(), runId, host.child.pid ?? 0);
      // The run's own network, and one for each node.
      expect(parts.filter((part) => part.startsWith("namespace net:"))).toHaveLength(4);
      host.child.kill("SIGKILL");
      await host.exited;
      const run = { runId, parts, block: "0" };
      expect(await untilEmpty(() => leftovers(before, lookAtMachine(), run), SETTLE_MS)).toEqual(
        [],
      );
    },
  );
});

describe.runIf(modes.includes("namespace") && hasGroups())("a node that takes all there is", () => {
  test("harms itself alone, and is told of", async () => {
    await expectHarmsItselfAlone(out, (backend) => backends.push(backend));
  });

  test("is not blamed for what all nodes together may not have", async () => {
    await expectRunLimitTold(out);
  });

  test("has control groups that go with the run, also those that it made in them", async () => {
    await expectMadeGroupsGone(out);
  });
});

describe.runIf(modes.includes("namespace"))("a command on a node of a run under way", () => {
  test("has the node's network, surroundings and control groups, and its own exit status", async () => {
    const eid = `exec${process.pid}`;
    const backend = await startNodes(out, { ...ring(2), eid });
    backends.push(backend);
    const command = "hostname; echo $NODE $EXPDIR; pwd; ip -4 -o addr show dev link0; exit 7";
    const argv = ["exec", "--experiment", `proj/${eid}`, "node1", "--", "sh", "-c", command];
    const { code, stdout } = await muster(argv);
    expect(stdout.split("\n").slice(0, 3)).toEqual([
      `node1.${eid}.proj.muster.local`,
      `node1 /proj/proj/exp/${eid}`,
      "/tmp",
    ]);
    expect(stdout).toContain("10.1.0.3/24");
    expect(code).toBe(7);
    const shell = await muster(["shell", "--experiment", `proj/${eid}`, "node0"], {
      prefix: ["sh", "-c", 'echo "echo on \\$NODE" | "$@"', "pipe"],
    });
    expect(shell).toMatchObject({ code: 0, stdout: "on node0\n" });
    const unknown = await muster(["exec", "--experiment", `proj/${eid}`, "node7", "--", "true"]);
    expect(unknown.code).toBe(125);
    expect(unknown.stderr).toContain(
      `no run of yours has a node node7; proj/${eid} has node0, node1`,
    );
  });
});

describe.runIf(modes.includes("namespace"))("muster doctor", () => {
  test("says what was tried, and what this kernel shapes links with", async () => {
    const { code, stdout } = await muster(["doctor", "--json"]);
    const told = JSON.parse(stdout);
    expect({ code, nodes: told.nodes }).toEqual({ code: 0, nodes: "netns" });
    const names = told.parts.map(({ name }: { name: string }) => name);
    expect(names).toEqual(["veth", "bridge", "vxlan", "tbf", "netem"]);
    expect(told.parts[0]).toEqual({ name: "veth", fault: "" });
  });
});
