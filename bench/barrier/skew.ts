// SPDX-License-Identifier: MIT
// How far apart five processes go: together, when the news comes, and told the instant beforehand
// on a clock that they share, which no barrier can better.

import { percentile } from "../statistics.ts";
import { Remote } from "../syncd/rpc.ts";

export interface Skew {
  readonly name: string;
  readonly p50Us: number;
  readonly p99Us: number;
}

const methods = [
  ["told the instant, on a shared clock", "at"],
  ["ours, together", "together"],
  ["ours, when the news comes", "news"],
] as const;

export async function measureSkew(rounds: number): Promise<readonly Skew[]> {
  const server = new Remote(import.meta.resolve("./serve-ours.ts"));
  const port = await server.call<number>("port");
  const file = import.meta.resolve("./skew-party.ts");
  const parties = Array.from({ length: 5 }, () => new Remote(file));
  await Promise.all(parties.map((party) => party.call("port", port)));
  const spreads = new Map<string, number[]>(methods.map(([, method]) => [method, []]));
  for (let round = -5; round < rounds; round += 1) {
    for (const [, method] of methods) {
      const instantUs = Number(process.hrtime.bigint() / 1_000n) + 30_000;
      const argument = method === "at" ? instantUs : round;
      const went = await Promise.all(parties.map((one) => one.call<number>(method, argument)));
      if (round >= 0) spreads.get(method)?.push(Math.max(...went) - Math.min(...went));
    }
  }
  for (const remote of [...parties, server]) remote.end();
  return methods.map(([name, method]) => {
    const values = spreads.get(method) ?? [];
    return { name, p50Us: percentile(values, 50), p99Us: percentile(values, 99) };
  });
}
