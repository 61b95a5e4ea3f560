// SPDX-License-Identifier: MIT
// The users of this machine. Asked of `id`, which knows all of them: Node reads no user database
// but for its own process, and /etc/passwd has only those of the machine itself.
import { execFile } from "node:child_process";

/** `id` may ask a directory server; it is not waited for longer than this. */
const answerMsMax = 10_000;

/** @returns the number of a user, undefined when there is none of that name. */
export function unixUid(name: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: answerMsMax, env: { PATH: "/usr/bin:/bin", LC_ALL: "C" } };
    execFile("id", ["-u", "--", name], options, (error, stdout) => {
      const uid = /^(\d+)\n$/.exec(stdout)?.[1];
      resolve(error !== null || uid === undefined ? undefined : Number(uid));
    });
  });
}
