// SPDX-License-Identifier: MIT
// `muster serve --stop`: asks the daemon to end and is over when it has, or when it should have
// long ago. A daemon that somebody starts meanwhile is another one.
import { connectDaemon, type StateDirectory, stopMsMax } from "../../boss/index.ts";
import { type Clock, sleep, systemClock } from "../../host/clock.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { askDaemon, commandError, serveExitCodes, stateOf } from "./serve-client.ts";

/** How often to look whether a daemon has ended, milliseconds. */
const lookAgainMs = 50;

/** @returns the exit status. @throws CommandError, also when there is none or it does not end. */
export async function stopCommand(given: string | undefined, io: CommandIo): Promise<number> {
  const state = stateOf(given);
  await stopDaemon(state, systemClock);
  io.stdout(`the daemon of ${state.path} has ended\n`);
  return exitCodes.ok;
}

/** @throws CommandError, also when there is none or it does not end. */
export async function stopDaemon(state: StateDirectory, clock: Clock): Promise<void> {
  const pid = await daemonPid(state, clock);
  await askDaemon({ state, request: { kind: "stop" } });
  const deadlineUs = clock.nowUs() + stopMsMax * 1_000;
  // It has said that it will.
  while (pid === (await daemonPid(state, clock))) {
    if (clock.nowUs() > deadlineUs) {
      const message = `the daemon of ${state.path} has not ended in ${stopMsMax / 1_000} s; its nodes go with: kill -9 ${pid}`;
      throw new CommandError(serveExitCodes.unavailable, message);
    }
    await sleep(clock, lookAgainMs);
  }
}

/** @returns undefined when no daemon answers. @throws CommandError */
async function daemonPid(state: StateDirectory, clock: Clock): Promise<number | undefined> {
  const link = await connectDaemon(state, clock).catch((error: unknown) => {
    throw commandError(error);
  });
  link?.close();
  return link?.pid;
}
