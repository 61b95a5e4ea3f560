// SPDX-License-Identifier: MIT
// What clients read out of replies, with the patterns of the old scripts. [EMULAB-TMCD 15]
// A reply that does not fit is undefined: not configured, or not ours.

/** `pid`, `eid` and nickname; `free` for a node that nobody has. */
export type Status =
  | { readonly kind: "free" }
  | {
      readonly kind: "allocated";
      readonly pid: string;
      readonly eid: string;
      readonly nickname: string;
    };

export function parseStatus(reply: string): Status | undefined {
  if (reply.startsWith("FREE")) return { kind: "free" };
  const found = /ALLOCATED=([-@\w]*)\/([-@\w]*) NICKNAME=([-@\w]*)/.exec(reply);
  if (found === null) return undefined;
  const [, pid = "", eid = "", nickname = ""] = found;
  return { kind: "allocated", pid, eid, nickname };
}

/** Only the first line counts. */
export function parseSyncServer(
  reply: string,
): { readonly server: string; readonly isServer: boolean } | undefined {
  const [line = ""] = reply.split("\n");
  const found = /SYNCSERVER SERVER='([-\w.]*)' ISSERVER=(\d)/.exec(line);
  return found === null ? undefined : { server: found[1] ?? "", isServer: found[2] === "1" };
}

/** PORT comes first, one blank follows. */
export function parsePort(
  reply: string,
): { readonly port: number; readonly nodeName: string } | undefined {
  const found = /^PORT=(\d{1,5}) NODEID=(\S+)/.exec(reply);
  return found === null ? undefined : { port: Number(found[1]), nodeName: found[2] ?? "" };
}

export interface HostLine {
  readonly name: string;
  readonly address: string;
  readonly aliases: readonly string[];
}

/** Lines that do not fit are left out. */
export function parseHosts(reply: string): readonly HostLine[] {
  const found = reply.matchAll(/^NAME=([-\w.]+) IP=([0-9.]*) ALIASES='([-\w. ]*)'$/gm);
  return [...found].map(([, name = "", address = "", aliases = ""]) => ({
    name,
    address,
    aliases: aliases.split(" ").filter((alias) => alias !== ""),
  }));
}

export function parseEventKey(reply: string): string | undefined {
  return /EVENTKEY KEY='(\w*)'/.exec(reply)?.[1];
}

export function parseKeyHash(reply: string): string | undefined {
  return /KEYHASH HASH='(\w*)'/.exec(reply)?.[1];
}

export function parseCreator(
  reply: string,
): { readonly creator: string; readonly swapper: string } | undefined {
  const creator = /^CREATOR=([-\w]*)/.exec(reply)?.[1];
  const swapper = / SWAPPER=([-\w]*)/.exec(reply)?.[1];
  return creator === undefined || swapper === undefined ? undefined : { creator, swapper };
}

/** `host` and, where one is given, the virtual node to ask as. [EMULAB-TMCD 2] */
export function parseRedirect(
  reply: string,
): { readonly host: string; readonly vnodeId: string | undefined } | undefined {
  const found = /^REDIRECT=([^:\s]+)(?::(\S+))?/.exec(reply);
  return found === null ? undefined : { host: found[1] ?? "", vnodeId: found[2] };
}

/** Puts a part of a full configuration between its marks. */
export function formatPart(command: string, reply: string): string {
  return `*** ${command}\n${reply}*** ${command}\n`;
}

/** The parts of a full configuration by command; marks are dropped, what is outside them too. */
export function parseFullConfig(reply: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  let open: string | undefined;
  let text = "";
  for (const line of reply.split(/(?<=\n)/)) {
    const mark = /^\*\*\* (\S+)\s*$/.exec(line)?.[1];
    if (open === undefined && mark !== undefined) {
      open = mark;
      text = "";
    } else if (open !== undefined && mark === open) {
      parts.set(open, text);
      open = undefined;
    } else if (open !== undefined) text += line;
  }
  return parts;
}
