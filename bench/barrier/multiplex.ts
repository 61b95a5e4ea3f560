// SPDX-License-Identifier: MIT
// Many participants over few native connections, beside the bare loop; and what one who waits costs
// in memory.
import { median } from "../statistics.ts";
import { processCpuUs } from "../syncd/kernel.ts";
import { Remote, serverFlags } from "../syncd/rpc.ts";

interface Meeting {
  readonly wallMs: number;
  /** Processor time of the server, microseconds for each participant. */
  readonly serverUs: number;
  readonly generatorUs: number;
}

interface Pair {
  readonly server: Remote;
  readonly generator: Remote;
}

async function startPair(file: string, connections: number): Promise<Pair> {
  const server = new Remote(import.meta.resolve(file), [], serverFlags);
  const generator = new Remote(import.meta.resolve("./generator.ts"));
  await generator.call("port", await server.call<number>("port"));
  await generator.call("connect", connections);
  return { server, generator };
}

function endPair({ server, generator }: Pair): void {
  generator.end();
  server.end();
}

async function meet({ server, generator }: Pair, parties: number): Promise<Meeting> {
  const before = [processCpuUs(server.pid), processCpuUs(generator.pid)] as const;
  const wallUs = await generator.call<number>("meet", parties);
  return {
    wallMs: wallUs / 1_000,
    serverUs: (processCpuUs(server.pid) - before[0]) / parties,
    generatorUs: (processCpuUs(generator.pid) - before[1]) / parties,
  };
}

function row(name: string, meetings: readonly Meeting[]) {
  const of = (pick: (meeting: Meeting) => number): number => median(meetings.map(pick));
  const serverUs = of((meeting) => meeting.serverUs);
  const generatorUs = of((meeting) => meeting.generatorUs);
  return {
    name,
    wallMs: of((meeting) => meeting.wallMs),
    wallMsMax: Math.max(...meetings.map(({ wallMs }) => wallMs)),
    serverUs,
    generatorUs,
    generatorCpuShare: generatorUs / (serverUs + generatorUs),
  };
}

export async function multiplex(rounds: number, parties: number, connections: number) {
  const ours = await startPair("./serve-ours.ts", connections);
  const floor = await startPair("./serve-floor.ts", connections);
  const meetings: { readonly ours: Meeting; readonly floor: Meeting }[] = [];
  // The first two are for the compiler.
  for (let round = -2; round < rounds; round += 1) {
    const both = { ours: await meet(ours, parties), floor: await meet(floor, parties) };
    if (round >= 0) meetings.push(both);
  }
  endPair(ours);
  endPair(floor);
  const serverRatio = median(meetings.map((both) => both.ours.serverUs / both.floor.serverUs));
  const rows = [
    row(
      "ours",
      meetings.map((both) => both.ours),
    ),
    row(
      "bare loop",
      meetings.map((both) => both.floor),
    ),
  ];
  return { rows, serverRatio };
}

/** Bytes of the server for each of many who wait: over native connections, and by TCP. */
export async function measureMemory(parties: number, connections: number, tcpClients: number) {
  const native = await startPair("./serve-ours.ts", connections);
  await meet(native, parties);
  const idle = await native.server.call<number>("heap");
  await native.generator.call("arrive", parties);
  const nativeBytes = ((await native.server.call<number>("heap")) - idle) / parties;
  endPair(native);
  const [server, clients] = [new Remote("./serve-ours.ts"), new Remote("./generator.ts")];
  await clients.call("port", await server.call<number>("port"));
  await clients.call("connect", tcpClients);
  await clients.call("send");
  await server.until("arrived", tcpClients);
  await clients.call("release", tcpClients);
  await server.until("open", 0);
  await clients.call("reset");
  const empty = await server.call<number>("heap");
  await clients.call("connect", tcpClients);
  await clients.call("send");
  await server.until("arrived", tcpClients);
  const tcpBytes = ((await server.call<number>("heap")) - empty) / tcpClients;
  clients.end();
  server.end();
  return { nativeBytes, tcpBytes };
}
