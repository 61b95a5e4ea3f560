// SPDX-License-Identifier: MIT
// What the door holds in memory for its clients, all together: bodies and messages that have not
// come in full, answers, streams and effects that are not read. Each connection has bounds of its
// own; times as many as may be open they are more than a machine has.
//
//   Q1. Looked at every `heldSweepMs`, so that what is served pays nothing for it. In between a
//       client can send as much as it sends in that time.
//   Q2. Of the client that holds most, by its address, the connection that holds most is cut first:
//       who holds little is not touched.

/** Less than this is not counted: connections are bounded, too. */
export const heldBytesMin: number = 16 * 1024;

/** A connection, or a request on one. */
export interface Holding {
  /** Its client's address. */
  readonly client: string;
  readonly bytes: number;
  readonly cut: () => void;
}

/** @returns those to be cut so that what is left is within the bound (Q2). */
export function chooseCuts(holdings: readonly Holding[], bytesMax: number): readonly Holding[] {
  let total = holdings.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total <= bytesMax) return [];
  const clients = new Map<string, { bytes: number; readonly holdings: Holding[] }>();
  for (const holding of holdings.toSorted((a, b) => a.bytes - b.bytes)) {
    const known = clients.get(holding.client) ?? { bytes: 0, holdings: [] };
    clients.set(holding.client, known);
    known.bytes += holding.bytes;
    known.holdings.push(holding);
  }
  const cuts: Holding[] = [];
  while (total > bytesMax) {
    const [first, ...rest] = clients.values();
    const worst = rest.reduce((most, one) => (one.bytes > (most?.bytes ?? 0) ? one : most), first);
    const cut = worst?.holdings.pop();
    if (worst === undefined || cut === undefined) break;
    worst.bytes -= cut.bytes;
    total -= cut.bytes;
    cuts.push(cut);
  }
  return cuts;
}
