// SPDX-License-Identifier: MIT
// Where the bus of a run is: it says so beside its key, where its user can read it.
import { dirname, join } from "node:path";
import { type Account, readFileAs } from "../../events/launch/index.ts";

/**
 * @param account with whose rights it is read; undefined: those of this process
 * @returns options; undefined where there is no run
 */
export function findRunServer(
  keyFile: string,
  account: Account | undefined,
): readonly string[] | undefined {
  const text = readFileAs(account, join(dirname(keyFile), "eventserver"));
  const [, host, port] = /^([\w.-]+):(\d{1,5})\n?$/.exec(text ?? "") ?? [];
  return host === undefined || port === undefined ? undefined : ["-s", host, "-p", port];
}
