// SPDX-License-Identifier: MIT
// Prints what goes over a bus, line by line, for as long as there is a bus.
import { watchEvents } from "../client/event-watch.ts";
import type { Bus } from "../wire/event/bus.ts";
import { type Address, attributeNames, getText } from "../wire/event/notification.ts";
import { runNoteObject } from "../wire/event/run-notes.ts";
import { formatEventJson, formatEventLine } from "./event-line.ts";
import type { CommandIo } from "./io.ts";
import { plural } from "./output.ts";

export interface PrintOptions {
  readonly bus: Bus;
  readonly address: Omit<Address, "scheduler">;
  readonly scheduled: boolean;
  readonly showsArgs: boolean;
  readonly json: boolean;
  /** Of the command, for its messages. */
  readonly name: string;
  readonly io: CommandIo;
  readonly wallUs: () => bigint;
}

/** Never resolves. @throws BusError when there is no bus any more. */
export async function printEvents(options: PrintOptions): Promise<never> {
  const { bus, address, scheduled, showsArgs, json, name, io, wallUs } = options;
  // What a scheduler and its run say to each other is no event; whoever asks by name has it.
  const asksForNotes = address.objname !== undefined;
  const watch = await watchEvents({
    ...{ bus, address, scheduled },
    onNotification: (notification, position) => {
      if (!asksForNotes && getText(notification, attributeNames.objname) === runNoteObject) return;
      const seen = { notification, wallUs: wallUs() };
      const line = json ? formatEventJson(seen, position) : formatEventLine(seen, { showsArgs });
      io.stdout(`${line}\n`);
    },
    onGap: (lost) => {
      const what = lost < 0 ? "an unknown number of events" : plural(lost, "event");
      io.stderr(`${name}: ${what} missed; give filters, or write to a file\n`);
    },
  });
  return await watch.ended;
}
