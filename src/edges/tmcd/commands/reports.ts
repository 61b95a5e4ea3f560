// SPDX-License-Identifier: MIT
// What nodes tell about themselves. [EMULAB-TMCD 9] [EMULAB-TMCD 16]
import {
  type CommandName,
  formatUpdate,
  formatWatchIntervals,
  formatWord,
  parseState,
} from "../../../wire/tmcd/index.ts";
import { type Asked, type Handler, silence } from "./handler.ts";

export const state: Handler = async ({ node, source, request, note }) => {
  const name = parseState(request.args);
  if (name === undefined) note("not a node state");
  else await source.report(node, { kind: "state", state: name });
  return silence;
};

export const isalive: Handler = (asked) => alive(asked, undefined);

/** The load is kept; the answer is the same as to a sign of life. */
export const rusage: Handler = (asked) => alive(asked, asked.request.args.trim());

async function alive({ node, source }: Asked, load: string | undefined): Promise<string> {
  await source.report(node, { kind: "alive", load });
  return formatUpdate(node.needsUpdate ? 1 : 0);
}

export const watchdoginfo: Handler = ({ source, request }) =>
  formatWatchIntervals(source.site.watchIntervals, request.version);

export const ntpdrift: Handler = async ({ node, source, request, note }) => {
  const drift = /^-?\d{1,9}(?:\.\d{1,9})?$/.exec(request.args.trim())?.[0];
  if (drift === undefined || node.isRemote) note("not a drift of a local node");
  else await source.report(node, { kind: "ntp-drift", drift });
  return silence;
};

/** Kept as it came; requests are read byte by byte, texts are UTF-8. */
export function upload(command: CommandName): Handler {
  return async ({ node, source, request }) => {
    const text = Buffer.from(request.args, "latin1").toString("utf8");
    await source.report(node, { kind: "upload", command, text });
    return silence;
  };
}

export const battery: Handler = async (asked) => {
  await upload("battery")(asked);
  return formatWord("OK");
};
