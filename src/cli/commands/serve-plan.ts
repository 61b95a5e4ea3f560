// SPDX-License-Identifier: MIT
// What `muster serve` will do, from what it was told: everything is read and checked here, and
// nothing is started. `--check-config` ends behind this.
import type { XmlRpcPlace } from "../../boss/index.ts";
import { formatGnunetAddress } from "../../edges/gnunet/index.ts";
import type { TlsFiles } from "../../edges/http/index.ts";
import { LogError } from "../../engine/log.ts";
import { maskNatsName } from "../../engine/nats-place.ts";
import { checkLogName } from "../../engine/open-log.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import type { ServeSettings } from "./serve-config.ts";
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
  /** Credentials of the account of NATS that has the log. */
  readonly natsCreds: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly httpClientCerts: boolean;
  readonly xmlrpc: XmlRpcPlace | undefined;
  readonly origins: readonly string[];
  readonly limits: ServeLimits;
  readonly drainMs: number;
}

/** @throws CommandError */
export function planServe(settings: ServeSettings): ServePlan {
  const { name = "muster", role, log = "memory", httpClientCerts = false } = settings;
  if (!new RegExp(serverNamePattern).test(name)) {
    throw wrong(
      `--name ${name}: give 1 to 63 letters, digits, ., _ and -, a letter or digit first`,
    );
  }
  checkLog(log);
  const limits = parseServeLimits(settings.limit ?? []);
  const origins = (settings.origin ?? []).map(checkOrigin);
  const tls = readTls({ ...settings, httpClientCerts });
  const listened = settings.listen ?? [];
  const gnunet = planGnunet(settings);
  const tree = planTree(name, settings);
  const isUsual = (text: string): boolean => !isGnunetDoor(text) && !isTreeListen(text);
  const listens = applyAllows(
    listened.filter(isUsual).map(parseListen),
    (settings.allow ?? []).filter(isUsual).map(parseAllow),
  );
  const redirects = (settings.redirectEvents ?? []).map(parseRedirect);
  checkRole(role, listens);
  const treeCount = treeLinkCount(tree);
  const openCount = listens.length + redirects.length + gnunet.listens.length + treeCount;
  if (role === "ops") checkOps(settings, openCount);
  const xmlrpc = resolveXmlRpc(listens, tls);
  checkTls({ ...settings, httpClientCerts }, tlsListens(listens, gnunet, tree), tls);
  const { ops, opsShell, opsUser, opsPort, opsProxy } = settings;
  const { scheduler, rundir, opsDir } = settings;
  return {
    ...{ name, role, listens, redirects, log, tls, httpClientCerts, xmlrpc, origins, limits },
    ...{ ops, opsShell, opsUser, opsPort, opsProxy, scheduler, rundir, opsDir },
    ...{ gnunet, tree, natsCreds: settings.natsCreds },
    drainMs: (settings.drain ?? 0) * 1000,
  };
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
  const { name, role, listens, redirects, log, limits } = plan;
  const doors: string[] = listens.map((listen) => {
    const { edge, host, port, scope, networks } = listen;
    const files = edge === "xmlrpc" ? plan.tls : tlsOf(listen, plan, plan.tls);
    const at = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    return [
      `${edge} at ${at}`,
      ...(edge === "syncd" ? [`scope ${scope}`] : []),
      ...(files === undefined ? [] : ["with TLS"]),
      ...(files?.authority === undefined ? [] : ["clients show certificates"]),
      ...(networks.length === 0 ? [] : [`for ${networks.length} networks`]),
    ].join(", ");
  });
  doors.push(...describeGnunet(plan.gnunet), ...describeTree(plan.tree));
  return [
    `${name}: the configuration is good`,
    role === "ops" ? "keeps no experiments" : `keeps the experiments of ${state}`,
    ...doors,
    ...redirects.map(({ from, to }) => `${from.host}:${from.port} leads to ${to.host}:${to.port}`),
    ...(doors.length === 0 ? [] : [`log of the core: ${maskNatsName(log)}`]),
    `waiters at one barrier: at most ${limits.limits.waitersPerBarrierMax}`,
  ];
}

/** A process without experiments has nothing to do but what it opens. @throws CommandError */
function checkOps({ ops }: ServeSettings, openCount: number): void {
  if (ops !== undefined) {
    throw wrong("--ops says where boss starts schedulers; give it to the process of --role boss");
  }
  if (openCount > 0) return;
  throw wrong("--role ops opens what it is told to, and was told nothing; add --listen events");
}

/** @throws CommandError */
function checkLog(log: string): void {
  try {
    checkLogName(log);
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    throw wrong(`--log: ${error.message}`);
  }
}

/** What a browser sends: scheme, name and port, and nothing behind them. @throws CommandError */
function checkOrigin(text: string): string {
  if (URL.parse(text)?.origin === text) return text;
  throw wrong(`--origin ${text}: give what a browser calls the page's origin: https://example.org`);
}

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
