// SPDX-License-Identifier: MIT
// What the site gives its nodes: time servers, files, constants. [EMULAB-TMCD 9]
import { newSecret } from "../../../host/ids.ts";
import {
  formatBlobs,
  formatIdleWatch,
  formatMounts,
  formatNtp,
  formatPingOfDeath,
  formatRpms,
  formatTarballs,
  formatWord,
} from "../../../wire/tmcd/index.ts";
import { type Handler, silence } from "./handler.ts";

export const ntpinfo: Handler = async ({ node, source }) => {
  const servers = node.isRemote ? [] : source.site.ntpServers;
  return formatNtp(servers, await source.ntpDrift(node));
};

/** A new secret each time it is asked; nobody who may not end the node knows it. */
export const ipodinfo: Handler = async ({ node, source }) => {
  const { bossAddress } = source.site;
  if (bossAddress === undefined) return silence;
  const hash = newSecret();
  await source.report(node, { kind: "ping-of-death", hash });
  return formatPingOfDeath(bossAddress, hash);
};

export const mounts: Handler = async ({ node, source, request }) =>
  formatMounts(await source.mounts(node), request.version);

export const rpms: Handler = async ({ node, source }) => formatRpms(await source.rpms(node));

export const tarballs: Handler = async ({ node, source }) =>
  formatTarballs(await source.tarballs(node));

export const blobs: Handler = async ({ node, source, request }) =>
  formatBlobs(await source.blobs(node), request.version);

export const sdparams: Handler = () => formatIdleWatch();

/** `noreply` works always, the others when the server was told to. */
export const tmcctest: Handler = async ({ request, isDebugging, clock, time }) => {
  const [what = "", amount = ""] = request.args.trim().split(/\s+/);
  if (what === "noreply") return silence;
  if (!isDebugging) return formatWord("tmcctest disabled");
  if (what === "splitreply") return `${formatWord("one")}${formatWord("two")}`;
  if (what !== "delayreply" || !/^\d{1,4}$/.test(amount)) return silence;
  const delayMs = Math.min(Number(amount) * 1000, time.testDelayMs);
  await new Promise<void>((resolve) => {
    clock.after(delayMs, resolve);
  });
  return formatWord("delayed");
};
