// SPDX-License-Identifier: MIT
// What `muster serve` will do, from what it was told: everything is read and checked here, and
// nothing is started. `--check-config` ends behind this.
import type { KeepRules, XmlRpcPlace } from "../../boss/index.ts";
import { assert } from "../../core/assert.ts";
import { formatGnunetAddress } from "../../edges/gnunet/index.ts";
import type { TlsFiles } from "../../edges/http/index.ts";
import { maskNatsName } from "../../engine/nats-place.ts";
import { isKeptLog, isSharedLog } from "../../engine/open-log.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { readLogName } from "../log-name.ts";
import { Attempts } from "./serve-attempts.ts";
import type { ServeSettings, SettingName } from "./serve-config.ts";
import { serverNamePattern } from "./serve-fields.ts";
import {
  describeGnunet,
  type GnunetPlan,
  gnunetDoorOf,
  isGnunetDoor,
  planGnunet,
} from "./serve-gnunet.ts";
import { parseServeLimits, type ServeLimits } from "./serve-limits.ts";
import {
  applyAllows,
  checkRole,
  coreDoors,
  type DoorName,
  type Listen,
  parseAllow,
  parseListen,
  parseRedirect,
  type Redirect,
  type Role,
} from "./serve-listen.ts";
import type { OpsArguments, SchedulerArguments } from "./serve-ops.ts";
import { checkTls, readTls, resolveXmlRpc, type TlsListen, tlsOf } from "./serve-tls.ts";
import {
  describeTree,
  isTreeListen,
  planTree,
  type TreePlan,
  treeLinkCount,
} from "./serve-tree.ts";

export interface ServePlan extends OpsArguments, SchedulerArguments {
  readonly name: string;
  readonly role: Role | undefined;
  readonly listens: readonly Listen[];
  readonly gnunet: GnunetPlan;
  readonly tree: TreePlan;
  readonly redirects: readonly Redirect[];
  readonly log: string;
  /** Logs that the scopes are spread over. */
  readonly shards: number;
  /** Credentials of the account of NATS that has the log. */
  readonly natsCreds: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly httpClientCerts: boolean;
  readonly xmlrpc: XmlRpcPlace | undefined;
  readonly origins: readonly string[];
  readonly limits: ServeLimits;
  readonly drainMs: number;
  /** Which results of old runs stay; undefined: all. */
  readonly keep: KeepRules | undefined;
}

/** @throws CommandError with all that is wrong */
export function planServe(settings: ServeSettings): ServePlan {
  const attempts = new Attempts<SettingName>();
  const plan = attemptPlan(settings, attempts);
  if (attempts.error !== undefined) throw attempts.error;
  assert(plan !== undefined, "a plan without a fault is whole");
  return plan;
}

/**
 * What is wrong besides settings that are known to be.
 * @param unsound those, on which nothing else is judged
 */
export function findPlanFaults(
  settings: ServeSettings,
  unsound: readonly SettingName[],
): CommandError | undefined {
  const attempts = new Attempts<SettingName>(unsound);
  attemptPlan(settings, attempts);
  return attempts.error;
}

const tlsNames = ["tls", "tlsName", "tlsCert", "tlsKey", "tlsCa"] as const;
const treeNames = [
  ...(["name", "listen", "allow", "natsCreds", "parent", "parentKey", "parentCa"] as const),
  ...(["parentCert", "below", "belowShell", "belowCommand", "belowAt"] as const),
];

function attemptPlan(
  settings: ServeSettings,
  attempts: Attempts<SettingName>,
): ServePlan | undefined {
  const { name = "muster", role, log = "memory", httpClientCerts = false, shards = 1 } = settings;
  attempts.check(["name"], () => checkName(name));
  const named = attempts.read(["log"], () => readLogName(log));
  const limits = attempts.read(["limit"], () => parseServeLimits(settings.limit ?? []));
  const origins = attempts.readEach("origin", settings.origin ?? [], checkOrigin);
  const tls = attempts.read(tlsNames, () => ({ files: readTls({ ...settings, httpClientCerts }) }));
  const doors = attemptDoors(settings, attempts);
  const redirects = attempts.readEach(
    "redirectEvents",
    settings.redirectEvents ?? [],
    parseRedirect,
  );
  const keep = attempts.read(["role", "keepDays", "keepBytes"], () => ({
    rules: keepOf(settings),
  }));
  attempts.check(["shards", "log"], () => checkShards(shards, log, doors));
  if (doors === undefined) return undefined;
  attempts.check(["listen", "role"], () => {
    if (named !== undefined) checkLogIsUsed({ log, role }, doors);
  });
  const { listens, gnunet, tree } = doors;
  const openCount = listens.length + redirects.length + gnunet.listens.length + treeLinkCount(tree);
  attempts.check(["role", "ops", "redirectEvents"], () => {
    if (role === "ops") checkOps(settings, openCount);
  });
  if (tls === undefined) return undefined;
  const { files } = tls;
  const xmlrpc = attempts.read([], () => ({ place: resolveXmlRpc(listens, files) }));
  attempts.check(["httpClientCerts"], () => {
    checkTls({ ...settings, httpClientCerts }, tlsListens(listens, gnunet, tree), files);
  });
  if (limits === undefined || keep === undefined || xmlrpc === undefined) return undefined;
  const { ops, opsShell, opsUser, opsPort, opsProxy } = settings;
  const { scheduler, rundir, opsDir } = settings;
  return {
    ...{ name, role, listens, redirects, log, tls: files, httpClientCerts, origins, limits },
    ...{ ops, opsShell, opsUser, opsPort, opsProxy, scheduler, rundir, opsDir },
    ...{ gnunet, tree, shards, natsCreds: settings.natsCreds, xmlrpc: xmlrpc.place },
    drainMs: (settings.drain ?? 0) * 1000,
    keep: keep.rules,
  };
}

type DoorsPlan = Pick<ServePlan, "listens" | "gnunet" | "tree">;

function attemptDoors(
  settings: ServeSettings,
  attempts: Attempts<SettingName>,
): DoorsPlan | undefined {
  const { name = "muster", role, listen = [], allow = [] } = settings;
  const isUsual = (text: string): boolean => !isGnunetDoor(text) && !isTreeListen(text);
  const gnunet = attempts.read(["listen", "allow", "gnunetPeers"], () => planGnunet(settings));
  const tree = attempts.read(treeNames, () => planTree(name, settings));
  const asked = attempts.readEach("listen", listen.filter(isUsual), parseListen);
  const allowed = attempts.readEach("allow", allow.filter(isUsual), parseAllow);
  const listens = attempts.read(["listen", "allow"], () => applyAllows(asked, allowed));
  if (listens === undefined) return undefined;
  attempts.check(["role"], () => checkRole(role, listens));
  if (gnunet === undefined || tree === undefined) return undefined;
  return { listens, gnunet, tree };
}

/** @throws CommandError */
function checkName(name: string): void {
  if (new RegExp(serverNamePattern).test(name)) return;
  throw wrong(`--name ${name}: give 1 to 63 letters, digits, ., _ and -, a letter or digit first`);
}

function tlsListens(
  listens: readonly Listen[],
  gnunet: GnunetPlan,
  tree: TreePlan,
): readonly TlsListen[] {
  return [
    ...listens.map((one) => ({ ...one, place: `${one.host}:${one.port}` })),
    ...gnunet.listens.map((one) => ({
      ...{ ...one, edge: gnunetDoorOf(one.service), place: formatGnunetAddress(one.address) },
    })),
    ...tree.listens.map((one) => ({
      ...{ ...one, edge: "controllers", place: formatGnunetAddress(one.address) },
    })),
  ];
}

/** What would be done, a line each. */
export function describePlan(plan: ServePlan, state: string): readonly string[] {
  const { name, role, listens, redirects, log, limits, drainMs } = plan;
  const doors: string[] = listens.map((listen) => {
    const { edge, host, port, scope, networks } = listen;
    const files = edge === "xmlrpc" ? plan.tls : tlsOf(listen, plan, plan.tls);
    const at = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    return [
      `${edge} at ${at}`,
      ...(edge === "syncd" ? [`scope ${scope}`] : []),
      ...(files === undefined ? [] : ["with TLS"]),
      ...(files?.authority === undefined ? [] : ["clients show certificates"]),
      ...(networks.length === 0
        ? []
        : [`for ${networks.length} ${networks.length === 1 ? "network" : "networks"}`]),
    ].join(", ");
  });
  doors.push(...describeGnunet(plan.gnunet), ...describeTree(plan.tree));
  return [
    `${name}: the configuration is good`,
    role === "ops" ? "keeps no experiments" : `keeps the experiments of ${state}`,
    ...describeKeep(plan.keep),
    ...doors,
    ...redirects.map(({ from, to }) => `${from.host}:${from.port} leads to ${to.host}:${to.port}`),
    ...(doors.length === 0 ? [] : [`log of the core: ${maskNatsName(log)}${inShards(plan)}`]),
    `waiters at one barrier: at most ${limits.limits.waitersPerBarrierMax}`,
    ...(drainMs === 0 ? [] : [`when it is told to end: waits have ${drainMs / 1000} s left`]),
  ];
}

function describeKeep(keep: KeepRules | undefined): readonly string[] {
  if (keep === undefined) return [];
  const { days, bytes } = keep;
  const rules = [
    ...(days === undefined ? [] : [`those of more than ${days} days`]),
    ...(bytes === undefined ? [] : [`the oldest beyond ${bytes} bytes in all`]),
  ];
  return [`results of old runs are removed: ${rules.join(", and ")}`];
}

/** @throws CommandError */
function keepOf({ role, keepDays, keepBytes }: ServeSettings): KeepRules | undefined {
  if (keepDays === undefined && keepBytes === undefined) return undefined;
  if (role === "ops") {
    throw wrong(
      "--keep-days and --keep-bytes are of results; give them to the process that has them, of --role boss",
    );
  }
  return { days: keepDays, bytes: keepBytes };
}

function inShards({ shards }: ServePlan): string {
  return shards === 1 ? "" : `, in ${shards} shards`;
}

/** @throws CommandError */
function checkShards(shards: number, log: string, doors: DoorsPlan | undefined): void {
  if (shards === 1) return;
  const treeCount = doors === undefined ? 0 : treeLinkCount(doors.tree);
  const told = `--shards ${shards}`;
  if (log === "memory" || log.startsWith("sqlite:")) {
    const why = log.startsWith("sqlite:")
      ? "a log in a file has one server, and gains nothing by several files"
      : "a log in memory is one";
    throw wrong(`${told}: ${why}; leave it out, or give --log nats://HOST:PORT`);
  }
  if (treeCount === 0) return;
  const why = "a link between controllers carries scopes of one log";
  throw wrong(`${told}: ${why}; leave it out, or --listen controllers, --parent and --below`);
}

/**
 * A log is opened for what is kept in it: the core, with the first door to it; on NATS also the
 * buses that several servers have in common. @throws CommandError
 */
function checkLogIsUsed(
  { log, role }: Pick<ServePlan, "log" | "role">,
  { listens, gnunet, tree }: DoorsPlan,
): void {
  if (!isKeptLog(log) || gnunet.listens.length > 0 || treeLinkCount(tree) > 0) return;
  const usesBus = (edge: DoorName): boolean =>
    isSharedLog(log) && (edge === "events" || (edge === "boss-events" && role === "boss"));
  if (listens.some(({ edge }) => coreDoors.includes(edge) || usesBus(edge))) return;
  const told = `--log ${maskNatsName(log)}`;
  const why = "nothing would be kept there, for a log is of what is behind doors";
  const others = [...coreDoors.slice(1), "gnunet", ...(isSharedLog(log) ? ["events"] : [])];
  throw wrong(`${told}: ${why}; add --listen http (or ${others.join(", ")}), or leave it out`);
}

/** A process without experiments has nothing to do but what it opens. @throws CommandError */
function checkOps({ ops }: ServeSettings, openCount: number): void {
  if (ops !== undefined) {
    throw wrong("--ops says where boss starts schedulers; give it to the process of --role boss");
  }
  if (openCount > 0) return;
  throw wrong("--role ops opens what it is told to, and was told nothing; add --listen events");
}

/** What a browser sends: scheme, name and port, and nothing behind them. @throws CommandError */
function checkOrigin(text: string): string {
  if (URL.parse(text)?.origin === text) return text;
  throw wrong(`--origin ${text}: give what a browser calls the page's origin: https://example.org`);
}

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
