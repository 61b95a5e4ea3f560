// SPDX-License-Identifier: MIT
// The limits that `muster serve` takes: those of the core, the doors, the buses, the experiments
// database, all by their names. docs/reference/limits.md lists them.
import { type BossLimits, defaultBossLimits, resolveBossLimits } from "../../boss/index.ts";
import { AssertionError } from "../../core/assert.ts";
import {
  type CoreLimits,
  defaultCoreLimits,
  defaultLimits,
  type Limits,
  resolveLimits,
} from "../../core/limits.ts";
import {
  type BusDoorBounds,
  defaultBusDoorBounds,
  resolveBusDoorBounds,
} from "../../edges/bus/index.ts";
import {
  defaultGnunetBounds,
  type GnunetBounds,
  resolveGnunetBounds,
} from "../../edges/gnunet/index.ts";
import { defaultHttpBounds, type HttpBounds, resolveHttpBounds } from "../../edges/http/index.ts";
import { defaultBounds, resolveBounds, type SyncdBounds } from "../../edges/syncd/index.ts";
import {
  defaultTestgroundBounds,
  resolveTestgroundBounds,
  type TestgroundBounds,
} from "../../edges/testground/index.ts";
import { type BusLimits, defaultBusLimits, resolveBusLimits } from "../../engine/bus-limits.ts";
import {
  defaultSnapshotLimits,
  resolveSnapshotLimits,
  type SnapshotLimits,
} from "../../engine/snapshot-limits.ts";
import {
  defaultForwarderLimits,
  type ForwarderLimits,
  resolveForwarderLimits,
} from "../../events/forwarder-limits.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { describeUnknownLimit } from "../limit-names.ts";

export interface ServeLimits {
  readonly limits: Limits;
  readonly bounds: HttpBounds;
  readonly busBounds: BusDoorBounds;
  readonly syncdBounds: SyncdBounds;
  readonly gnunetBounds: GnunetBounds;
  readonly bus: BusLimits;
  readonly boss: BossLimits;
  readonly forwarder: ForwarderLimits;
  readonly testground: TestgroundBounds;
  readonly snapshots: SnapshotLimits;
  /** Those of `limits` that decide in the core and were given, be it as the defaults are. */
  readonly told: Partial<CoreLimits>;
}

/** Every name is in one table only. */
export const limitTables: readonly object[] = [
  defaultLimits,
  defaultHttpBounds,
  defaultBusDoorBounds,
  defaultBounds,
  defaultGnunetBounds,
  defaultBusLimits,
  defaultBossLimits,
  defaultForwarderLimits,
  defaultTestgroundBounds,
  defaultSnapshotLimits,
];

const known: Readonly<Record<string, number>> = Object.assign({}, ...limitTables);

/** A server has some ten edges of its own, before anybody comes. */
const edgesMin = 100;

/** `NAME=VALUE` each; of several values of one name the last counts. @throws CommandError */
export function parseServeLimits(settings: readonly string[]): ServeLimits {
  const given: Record<string, number> = {};
  for (const setting of settings) {
    const [name, value] = parseLimit(setting);
    given[name] = value;
  }
  const { edgesMax = edgesMin } = given;
  if (edgesMax < edgesMin) {
    const why = `servers and their doors are edges, too; give ${edgesMin} or more`;
    throw new CommandError(exitCodes.usage, `--limit edgesMax=${edgesMax}: ${why}`);
  }
  const of = (names: object): Record<string, number> =>
    Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(names, name)));
  try {
    return {
      limits: resolveLimits(of(defaultLimits)),
      bounds: resolveHttpBounds(of(defaultHttpBounds)),
      busBounds: resolveBusDoorBounds(of(defaultBusDoorBounds)),
      syncdBounds: resolveBounds(of(defaultBounds)),
      gnunetBounds: resolveGnunetBounds(of(defaultGnunetBounds)),
      bus: resolveBusLimits(of(defaultBusLimits)),
      boss: resolveBossLimits(of(defaultBossLimits)),
      forwarder: resolveForwarderLimits(of(defaultForwarderLimits)),
      testground: resolveTestgroundBounds(of(defaultTestgroundBounds)),
      snapshots: resolveSnapshotLimits(of(defaultSnapshotLimits)),
      told: of(defaultCoreLimits),
    };
  } catch (error) {
    // What the tables demand of each other.
    if (!(error instanceof AssertionError)) throw error;
    throw new CommandError(exitCodes.usage, `--limit: ${error.message}`);
  }
}

/** @param setting as it was told. @throws CommandError for a name that is none that can be set */
export function checkLimitName(name: string, setting: string): void {
  if (Object.hasOwn(known, name)) return;
  const why = describeUnknownLimit(name, Object.keys(known));
  throw new CommandError(exitCodes.usage, `--limit ${setting}: ${why}`);
}

/** @throws CommandError */
function parseLimit(setting: string): readonly [name: string, value: number] {
  const [name = "", text = "", ...rest] = setting.split("=");
  const value = Number(text);
  const wrong = (why: string): CommandError =>
    new CommandError(exitCodes.usage, `--limit ${setting}: ${why}`);
  checkLimitName(name, setting);
  if (text === "" || rest.length > 0 || !Number.isSafeInteger(value) || value < 1) {
    throw wrong("give NAME=VALUE, a positive whole number");
  }
  return [name, value];
}
