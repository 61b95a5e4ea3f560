// SPDX-License-Identifier: MIT
// Replies about the experiment's network: names, interfaces, shaping, routes. [EMULAB-TMCD 9]
// Versions: [EMULAB-TMCD 7]
import { fields, lines } from "./reply-text.ts";
import type {
  CarrierInterface,
  DelayEnd,
  DelayRow,
  HostRow,
  InterfaceSetting,
  Interfaces,
  LinkDelayRow,
  PhysicalInterface,
  Pipe,
  Queue,
  RouteRow,
  Routing,
  VirtualInterface,
} from "./rows.ts";

type Field = readonly [key: string, value: string | number];

/** A row whose bare name goes elsewhere has one blank in its place. */
export function formatHosts(rows: readonly HostRow[], version: number): string {
  return lines(
    rows.map(({ node, lan, port, address, isBare }) => {
      const bare = isBare ? node : " ";
      return version >= 3
        ? `NAME=${node}-${lan} IP=${address} ALIASES='${node}-${port} ${bare}'`
        : `NAME=${node} LINK=${port} IP=${address} ALIAS=${bare}`;
    }),
  );
}

const defaultMask = "255.255.255.255";

/** In the order in which clients configure: interfaces, settings, carriers, virtual ones. */
export function formatInterfaces(
  interfaces: Interfaces,
  { version, isVirtual }: { readonly version: number; readonly isVirtual: boolean },
): string {
  const { physical, settings, carriers, virtual } = interfaces;
  const prefix = version >= 16 ? "INTERFACE " : "";
  const known = virtual.filter(({ type }) => isKnownType(type, version));
  return lines([
    ...physical.map((one) => prefix + fields(physicalFields(one, version))),
    ...(version >= 16 ? settings.map(formatSetting) : []),
    ...(version >= 18 && !isVirtual ? carriers.map((one) => prefix + carrierFields(one)) : []),
    ...known.map((one) => prefix + fields(virtualFields(one, version))),
  ]);
}

/** veth came with version 10, other kinds with 27. */
function isKnownType(type: string, version: number): boolean {
  return version >= (type.startsWith("veth") ? 10 : 27);
}

function physicalFields(one: PhysicalInterface, version: number): readonly Field[] {
  return [
    version >= 10 ? ["IFACETYPE", one.type] : ["INTERFACE", one.port],
    ["INET", one.address],
    ["MASK", one.mask ?? defaultMask],
    ["MAC", one.mac],
    ["SPEED", `${one.speedMbps ?? 100}Mbps`],
    ["DUPLEX", one.duplex ?? "full"],
    ...since(version, 11, ["IFACE", one.name ?? ""]),
    ...since(version, 14, ["RTABID", one.routingTable]),
    ...since(version, 17, ["LAN", one.lan]),
  ];
}

function formatSetting({ mac, key, value }: InterfaceSetting): string {
  return `INTERFACE_SETTING MAC=${mac} KEY='${key}' VAL='${value}'`;
}

function carrierFields({ type, mac, speedMbps = 100, duplex = "full" }: CarrierInterface): string {
  const speed = `SPEED=${speedMbps}Mbps DUPLEX=${duplex}`;
  return `IFACETYPE=${type} INET= MASK= MAC=${mac} ${speed} IFACE= RTABID= LAN=`;
}

function virtualFields(one: VirtualInterface, version: number): readonly Field[] {
  const isPlain = one.type === "veth-ne";
  const type = one.type === "vlan" && one.carrierMac === undefined ? "loop" : one.type;
  return [
    ["IFACETYPE", isPlain ? "veth" : type],
    ["INET", one.address],
    ["MASK", one.mask ?? defaultMask],
    ["ID", one.unit],
    ["VMAC", one.mac],
    ["PMAC", one.carrierMac ?? "none"],
    ...since(version, 14, ["RTABID", one.routingTable]),
    ...since(version, 15, ["ENCAPSULATE", one.isEncapsulated && !isPlain ? 1 : 0]),
    ...since(version, 17, ["LAN", one.lan]),
    ...since(version, 20, ["VTAG", one.tag]),
  ];
}

function since(version: number, first: number, field: Field): readonly Field[] {
  return version >= first ? [field] : [];
}

/** One line per shaped link of a delay node. */
export function formatDelays(rows: readonly DelayRow[]): string {
  return lines(
    rows.map(({ link, ends: [first, second], isUnshaped }) => {
      const both = (pick: (end: DelayEnd, suffix: string) => readonly Field[]) => [
        ...pick(first, "0"),
        ...pick(second, "1"),
      ];
      return `DELAY ${fields([
        ...both((end, suffix) => [[`INT${suffix}`, end.mac]]),
        ...both((end, suffix) => pipeFields(end.pipe, "", suffix)),
        ["LINKNAME", link],
        ...both((end, suffix) => [[`RED${suffix}`, end.queue.isRed ? 1 : 0]]),
        ...both((end, suffix) => queueFields(end.queue, suffix)),
        ["VNODE0", first.vnode],
        ["VNODE1", second.vnode],
        ["NOSHAPING", isUnshaped ? 1 : 0],
        ...both((end, suffix) => [[`BACKFILL${suffix}`, end.backfillKbps]]),
      ])}`;
    }),
  );
}

/** One line per interface that its own node shapes. RPLR is the reverse loss (fault 13). */
export function formatLinkDelays(rows: readonly LinkDelayRow[]): string {
  return lines(
    rows.map(
      (row) =>
        `LINKDELAY ${fields([
          ["IFACE", row.mac],
          ["TYPE", row.kind],
          ["LINKNAME", row.link],
          ["VNODE", row.vnode],
          ["INET", row.address],
          ["MASK", row.mask],
          ...pipeFields(row.pipe, "", ""),
          ...pipeFields(row.reverse, "R", ""),
          ["RED", row.queue.isRed ? 1 : 0],
          ...queueFields(row.queue, ""),
        ])}`,
    ),
  );
}

function pipeFields(pipe: Pipe, prefix: string, suffix: string): readonly Field[] {
  return [
    [`${prefix}PIPE${suffix}`, pipe.number],
    [`${prefix}DELAY${suffix}`, pipe.delayMs],
    [`${prefix}BW${suffix}`, pipe.bandwidthKbps],
    [`${prefix}PLR${suffix}`, pipe.loss],
  ];
}

function queueFields(queue: Queue, suffix: string): readonly Field[] {
  const all: readonly Field[] = [
    ["LIMIT", queue.limit],
    ["MAXTHRESH", queue.maxThreshold],
    ["MINTHRESH", queue.minThreshold],
    ["WEIGHT", queue.weight],
    ["LINTERM", queue.linearTerm],
    ["QINBYTES", queue.isLimitInBytes ? 1 : 0],
    ["BYTES", queue.bytes],
    ["MEANPSIZE", queue.meanPacketBytes],
    ["WAIT", queue.wait],
    ["SETBIT", queue.setBit],
    ["DROPTAIL", queue.dropTail],
    ["GENTLE", queue.gentle],
  ];
  return all.map(([key, value]) => [`${key}${suffix}`, value]);
}

/** From version 19 on a node works out static routes by itself. */
export function formatRouting({ type, routes }: Routing, version: number): string {
  const isOwn = type === "static" && version >= 19;
  return lines([
    `ROUTERTYPE=${type}`,
    ...(isOwn ? [] : routes.map((route) => formatRoute(route, version))),
  ]);
}

function formatRoute(route: RouteRow, version: number): string {
  const { kind, mask, nextHop, cost, source } = route;
  const destination = kind === "net" ? masked(route.destination, mask) : route.destination;
  return `ROUTE ${fields([
    ["DEST", destination],
    ["DESTTYPE", kind],
    ["DESTMASK", mask],
    ["NEXTHOP", nextHop],
    ["COST", cost],
    ...since(version, 12, ["SRC", source]),
  ])}`;
}

/** The network of an address. */
function masked(address: string, mask: string): string {
  const bits = mask.split(".").map(Number);
  return address
    .split(".")
    .map((octet, index) => Number(octet) & (bits[index] ?? 0))
    .join(".");
}
