// SPDX-License-Identifier: MIT
// Draws what a link was told to carry and what came out of it, from the record of a run and the
// trace of the receiving end. Pure but for `readTrace`'s argument, which is the file's bytes.

/** From `atUs` of event time on, the link carries so much. */
export interface Told {
  readonly atUs: number;
  readonly bps: number;
}

export interface Arrived {
  readonly atUs: number;
  /** Of layer 2, as rates count them. */
  readonly bytes: number;
}

const fileHeaderBytes = 24;
const recordHeaderBytes = 16;

/** The packets of a pcap file with microseconds, little-endian; times count from the first. */
export function readTrace(file: Buffer): readonly Arrived[] {
  const packets: Arrived[] = [];
  for (let at = fileHeaderBytes; at + recordHeaderBytes <= file.length; ) {
    const stampUs = file.readUInt32LE(at) * 1_000_000 + file.readUInt32LE(at + 4);
    packets.push({ atUs: stampUs, bytes: file.readUInt32LE(at + 12) });
    at += recordHeaderBytes + file.readUInt32LE(at + 8);
  }
  const first = packets[0]?.atUs ?? 0;
  return packets.map(({ atUs, bytes }) => ({ atUs: atUs - first, bytes }));
}

/** Mean rate of each step, bit/s. */
export function ratesOf(
  packets: readonly Arrived[],
  stepUs: number,
  untilUs: number,
): readonly number[] {
  const bits = new Array<number>(Math.floor(untilUs / stepUs)).fill(0);
  for (const { atUs, bytes } of packets) {
    const step = Math.floor(atUs / stepUs);
    if (step < bits.length) bits[step] = (bits[step] ?? 0) + bytes * 8;
  }
  return bits.map((each) => (each * 1_000_000) / stepUs);
}

const [width, height] = [760, 320];
const plot = { left: 60, right: 740, top: 30, bottom: 270 };
const [ink, planned, measured] = ["#333", "#b0b8c4", "#c2410c"];

/** @param told in order of time; @param rates one for each step from time 0 */
export function drawBandwidth(
  told: readonly Told[],
  rates: readonly number[],
  stepUs: number,
): string {
  const untilUs = rates.length * stepUs;
  const top = Math.ceil(Math.max(...told.map(({ bps }) => bps), ...rates) / 2e6) * 2e6;
  const x = (us: number): string =>
    (plot.left + ((plot.right - plot.left) * us) / untilUs).toFixed(1);
  const y = (bps: number): string =>
    (plot.bottom - ((plot.bottom - plot.top) * bps) / top).toFixed(1);
  const steps = told.map(({ atUs, bps }, index) => {
    const endUs = told[index + 1]?.atUs ?? untilUs;
    return `${index === 0 ? "M" : "L"}${x(atUs)},${y(bps)} H${x(endUs)}`;
  });
  const points = rates.map((bps, step) => `${x((step + 0.5) * stepUs)},${y(bps)}`);
  const grid = Array.from({ length: top / 2e6 + 1 }, (_, index) => index * 2e6);
  const seconds = Array.from({ length: Math.floor(untilUs / 1e6) + 1 }, (_, index) => index);
  const said = `font-family="sans-serif" font-size="13" fill="${ink}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${said}>`,
    "<title>Bandwidth of a link, as planned and as measured</title>",
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...grid.map(
      (bps) =>
        `<path d="M${plot.left},${y(bps)} H${plot.right}" stroke="#e5e7eb"/>` +
        `<text x="${plot.left - 8}" y="${y(bps)}" dy="4" text-anchor="end">${bps / 1e6}</text>`,
    ),
    ...seconds.map(
      (at) => `<text x="${x(at * 1e6)}" y="${plot.bottom + 20}" text-anchor="middle">${at}</text>`,
    ),
    `<text x="${plot.left - 8}" y="18" text-anchor="end">Mb/s</text>`,
    `<text x="${plot.right}" y="${height - 8}" text-anchor="end">seconds of event time</text>`,
    `<path d="${steps.join(" ")}" fill="none" stroke="${planned}" stroke-width="7"/>`,
    `<polyline points="${points.join(" ")}" fill="none" stroke="${measured}" stroke-width="2"/>`,
    `<text x="${plot.left + 8}" y="${height - 8}" fill="#6b7280">planned</text>`,
    `<text x="${plot.left + 78}" y="${height - 8}" fill="${measured}">measured, means of 100 ms</text>`,
    "</svg>",
    "",
  ].join("\n");
}
