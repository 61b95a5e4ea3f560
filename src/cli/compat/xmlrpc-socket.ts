// SPDX-License-Identifier: MIT
// XML-RPC at the socket of the daemon: whoever can reach it acts as the owner of its directory.
import { connectDaemon, type StateDirectory } from "../../boss/index.ts";
import { systemClock } from "../../host/clock.ts";

/** @returns the bytes of the response. @throws BossError, Error when no daemon answers */
export async function askByXmlRpc(state: StateDirectory, call: Uint8Array): Promise<Uint8Array> {
  const link = await connectDaemon(state, systemClock);
  if (link === undefined) {
    throw new Error(`no daemon answers in ${state.path}; start one with: muster serve`);
  }
  try {
    const text = Buffer.from(call).toString("utf8");
    return Buffer.from(String(await link.request({ kind: "xmlrpc", call: text })));
  } finally {
    link.close();
  }
}
