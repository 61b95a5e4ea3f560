// SPDX-License-Identifier: MIT
// Goal: a server that can open nothing more says so, ever more rarely, and when it is over.
// Method: virtual time, and a file that opens or not.
import { expect, it } from "vitest";
import { warnOfFullFiles } from "../../../src/host/warn-of-full-files.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

it("says that no file can be opened, that it lasts, and that it is over", async () => {
  const clock = new VirtualClock();
  const lines: string[] = [];
  let code = "";
  const end = warnOfFullFiles(clock, { log: (_, line) => void lines.push(line) }, () => {
    if (code !== "") throw Object.assign(new Error("open"), { code });
  });
  const pass = async (code_: string, seconds: number) => {
    code = code_;
    lines.length = 0;
    for (let at = 0; at < seconds; at += 5) await clock.pass(5_000_000);
    return lines;
  };
  expect(await pass("", 20)).toEqual([]);
  expect(await pass("ENOENT", 20)).toEqual([]);
  const text =
    "no file or connection can be opened (EMFILE), who comes is cut off without an answer; raise the limit (ulimit -n)";
  expect(await pass("EMFILE", 10)).toEqual([text]);
  expect(await pass("EMFILE", 60)).toEqual([`for 10 s now ${text}`, `for 30 s now ${text}`]);
  expect(await pass("", 20)).toEqual(["files and connections can be opened again, after 70 s"]);
  end();
  expect(await pass("EMFILE", 20)).toEqual([]);
});
