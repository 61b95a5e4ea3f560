// SPDX-License-Identifier: MIT
// Rounds of a barrier at one number of parties: everybody arrives, everybody goes on. All
// contenders play each round one after the other.
import { median } from "../statistics.ts";
import { processCpuUs, quietCpuUs } from "../syncd/kernel.ts";
import type { Contender } from "./contenders.ts";

/** One round of one contender. */
interface Played {
  /** From the first arrival until the last party has gone on, milliseconds. */
  readonly wallMs: number;
  /** Processor time of the server for each party, microseconds. */
  readonly serverUs: number;
  readonly clientsUs: number;
}

/** Medians over the rounds. */
export interface RoundRow extends Played {
  readonly parties: number;
  readonly name: string;
  /** Of the processor time of clients and server together. */
  readonly clientsShare: number;
  /** What ours takes over what this one takes, median of the ratios of the rounds. */
  readonly wallRatio?: number;
  readonly serverRatio?: number;
}

/** So many parties at least are played in one round: a few take too little to be measured. */
const partiesPerRoundMin = 40;
/**
 * So many parties of a crowd go before those that count: a server compiles what it does often while
 * it does it, ours and the bare loop for different lengths of time.
 */
const warmParties = 20_000;
/** Of those who are few; what warms them before is in main.ts. */
const warmUpsMin = 2;

async function playOnce({ pid, clients }: Contender, parties: number): Promise<Played> {
  const times = Math.max(1, Math.ceil(partiesPerRoundMin / parties));
  const walls: number[] = [];
  let [serverUs, clientsUs] = [0, 0];
  for (let time = 0; time < times; time += 1) {
    await clients.call("prepare");
    const before = [await quietCpuUs(pid), processCpuUs(clients.pid)] as const;
    walls.push((await clients.call<number>("play")) / 1_000);
    clientsUs += processCpuUs(clients.pid) - before[1];
    serverUs += (await quietCpuUs(pid)) - before[0];
    await clients.call("reset");
  }
  const all = times * parties;
  return { wallMs: median(walls), serverUs: serverUs / all, clientsUs: clientsUs / all };
}

/** @param seen told of each contender that is ready and of each round. */
export async function playSize(
  contenders: readonly Contender[],
  parties: number,
  rounds: number,
  seen: (what: string) => void,
): Promise<readonly RoundRow[]> {
  const played = new Map<string, Played[]>(contenders.map(({ name }) => [name, []]));
  for (const { name, clients } of contenders) {
    await clients.call("connect", parties);
    seen(`${parties} parties connected: ${name}`);
  }
  const warmUps = parties < 1_000 ? warmUpsMin : Math.ceil(warmParties / parties);
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const contender of contenders) {
      const result = await playOnce(contender, parties);
      if (round >= 0) played.get(contender.name)?.push(result);
    }
    seen(`${parties} parties, round ${round + 1} of ${rounds}`);
  }
  return contenders.map((contender) => {
    const { name, floorOf = "native" } = contender;
    const mine = played.get(name) ?? [];
    const of = (pick: (one: Played) => number): number => median(mine.map(pick));
    const [serverUs, clientsUs] = [of((one) => one.serverUs), of((one) => one.clientsUs)];
    const figures = { wallMs: of((one) => one.wallMs), serverUs, clientsUs };
    const row = { parties, name, ...figures, clientsShare: clientsUs / (clientsUs + serverUs) };
    const ours = played.get(floorOf);
    if (contender.isOurs || ours === undefined) return row;
    const ratio = (pick: (one: Played) => number): number =>
      median(ours.map((one, at) => pick(one) / pick(mine[at] ?? one)));
    const wallRatio = ratio((one) => one.wallMs);
    return { ...row, wallRatio, serverRatio: ratio((one) => one.serverUs) };
  });
}

const columns = [
  ["wall ms", 10, ({ wallMs }: RoundRow) => wallMs.toFixed(wallMs < 10 ? 2 : 1)],
  ["server CPU", 12, ({ serverUs }: RoundRow) => serverUs.toFixed(1)],
  ["clients", 9, ({ clientsShare }: RoundRow) => `${(clientsShare * 100).toFixed(0)} %`],
  ["ours/it wall", 14, ({ wallRatio }: RoundRow) => wallRatio?.toFixed(2) ?? ""],
  ["ours/it CPU", 13, ({ serverRatio }: RoundRow) => serverRatio?.toFixed(2) ?? ""],
] as const;

export const roundHead: string =
  `${"parties".padStart(7)}  ${"at".padEnd(24)}` +
  columns.map(([title, width]) => title.padStart(width)).join("");

export function formatRow(row: RoundRow): string {
  const cells = columns.map(([, width, of]) => of(row).padStart(width)).join("");
  return `${String(row.parties).padStart(7)}  ${row.name.padEnd(24)}${cells}`;
}
