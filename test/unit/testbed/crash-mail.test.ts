// SPDX-License-Identifier: MIT
// Goal: whoever swapped in, and who keeps the testbed, hear of a scheduler that is gone. Method: a
// mailer that writes down what it reads.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";
import { mailCrash } from "../../../src/testbed/crash-mail.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-crash-mail-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const mail = (mailer: string | undefined, user?: string): Promise<string | undefined> =>
  mailCrash({ mailer, user, directory, experiment: "p/e", clock: systemClock }, "it died");

it("goes to the user and to who keeps the testbed, with the words of the old one", async () => {
  expect(await mail(`tee ${directory}/mail`, "ann")).toBeUndefined();
  expect(readFileSync(join(directory, "mail"), "utf8")).toBe(
    `To: ann, ${userInfo().username}\n` +
      `Subject: Event Scheduler for p/e died on ${hostname()}\n\nit died\n`,
  );
  expect(await mail(`tee ${directory}/mail`)).toBeUndefined();
  expect(readFileSync(join(directory, "mail"), "utf8")).toContain(`To: ${userInfo().username}\n`);
});

it("says what is wrong with the mailer, and is content without one", async () => {
  expect(await mail("false")).toBe("it exited with 1");
  expect(await mail("'open")).toBe("'open is no command line");
  expect(await mail(undefined)).toBeUndefined();
});
