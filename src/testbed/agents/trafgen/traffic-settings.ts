// SPDX-License-Identifier: MIT
// What a traffic generator sends, and how events change it. Pure. [EMULAB-EVENTS 6]
//
// A rate that was set stays in force: the interval follows from it, also when the size changes. An
// interval that is set later ends that.
import type { TrafficFlow } from "../../../experiment/model.ts";
import { trafficLimits } from "./traffic-limits.ts";

export interface TrafficSettings {
  readonly packetBytes: number;
  readonly intervalUs: number;
  /** Kilobits a second; undefined while the interval rules. */
  readonly rateKbps: number | undefined;
  /** Type-of-service byte; undefined for that of the system. */
  readonly tos: number | undefined;
}

const defaults = { packetBytes: 1_024, intervalSeconds: 0.1 } as const;

/** What the file says; what it leaves out, or cannot be sent, is as the old generator had it. */
export function initialSettings(flow: TrafficFlow): TrafficSettings {
  const { packetBytes, rateBps, intervalSeconds = defaults.intervalSeconds, tos } = flow;
  const start: TrafficSettings = {
    packetBytes: isPacket(packetBytes) ? packetBytes : defaults.packetBytes,
    intervalUs: (isInterval(intervalSeconds) ? intervalSeconds : defaults.intervalSeconds) * 1e6,
    rateKbps: undefined,
    tos,
  };
  if (rateBps === undefined || flow.intervalSeconds !== undefined || rateBps <= 0) return start;
  const rated = withRate(start, rateBps / 1_000);
  return isInterval(rated.intervalUs / 1e6) ? rated : start;
}

/**
 * `PACKETSIZE= RATE= INTERVAL= IPTOS=`, keys in any case, of any length (faults 25, 26). -1 leaves
 * a value as it is.
 *
 * @returns a sentence when something is wrong; then nothing is changed.
 */
export function applyTrafficArgs(
  settings: TrafficSettings,
  args: string,
): TrafficSettings | string {
  let changed = settings;
  for (const item of args.split(/[ \t]+/)) {
    if (item === "") continue;
    const equals = item.indexOf("=");
    const key = item.slice(0, Math.max(0, equals)).toUpperCase();
    const applied = applyOne(changed, key, item.slice(equals + 1));
    if (typeof applied === "string") return applied;
    changed = applied;
  }
  return isInterval(changed.intervalUs / 1e6) ? changed : outOfBounds(changed);
}

/** What sizes and rates make together. */
function outOfBounds({ intervalUs }: TrafficSettings): string {
  const { intervalUsMin, intervalSecondsMax } = trafficLimits;
  const bounds = `from ${intervalUsMin} us (limit intervalUsMin) to ${intervalSecondsMax} s`;
  return `a packet every ${intervalUs} us cannot be sent: ${bounds}; give another RATE or PACKETSIZE`;
}

function applyOne(settings: TrafficSettings, key: string, text: string): TrafficSettings | string {
  const value = parseNumber(text);
  if (value === -1) return settings;
  const { packetBytesMax, intervalSecondsMax } = trafficLimits;
  switch (key) {
    case "PACKETSIZE":
      if (!isPacket(value)) return `PACKETSIZE must be 1 to ${packetBytesMax} bytes, not ${text}`;
      return withSize(settings, value);
    case "RATE":
      if (!(value > 0)) return `RATE must be a number of kilobits a second above 0, not ${text}`;
      return withRate(settings, value);
    case "INTERVAL":
      if (!isInterval(value)) {
        return `INTERVAL must be a microsecond to ${intervalSecondsMax} seconds, not ${text}`;
      }
      return { ...settings, rateKbps: undefined, intervalUs: value * 1e6 };
    case "IPTOS":
      if (!Number.isInteger(value) || value < 0 || value > 255) {
        return `IPTOS must be 0 to 255, also as 0x.., not ${text}`;
      }
      return { ...settings, tos: value };
    default:
      return `a traffic generator takes PACKETSIZE, RATE, INTERVAL and IPTOS, not ${key || text}`;
  }
}

function withSize(settings: TrafficSettings, packetBytes: number): TrafficSettings {
  const resized = { ...settings, packetBytes };
  return settings.rateKbps === undefined ? resized : withRate(resized, settings.rateKbps);
}

function withRate(settings: TrafficSettings, rateKbps: number): TrafficSettings {
  return { ...settings, rateKbps, intervalUs: (settings.packetBytes * 8_000) / rateKbps };
}

/** Numbers as C writes them: `0x10` and `010` are 16 and 8. NaN for what is none. */
function parseNumber(text: string): number {
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return /^[+-]?(?:0x[0-9a-f]+|\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)$/i.test(text)
    ? Number(text)
    : Number.NaN;
}

function isPacket(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= 1 && bytes <= trafficLimits.packetBytesMax;
}

function isInterval(seconds: number): boolean {
  const { intervalUsMin, intervalSecondsMax } = trafficLimits;
  return seconds * 1e6 >= intervalUsMin && seconds <= intervalSecondsMax;
}
