// SPDX-License-Identifier: MIT
// The events of a run that were not planned, as the table that the old scheduler wrote:
// `logs/events` of the experiment's directory, one row as each is accepted. There is no file while
// there is no such event. [EMULAB-EVENTS 2.11]
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { EventAccepted } from "../../core/agenda/effects.ts";
import type { LogEntry } from "../../core/command.ts";
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import type { Host } from "../../host/host.ts";
import { WorkQueue } from "../agents/work-queue.ts";
import { withDirectories } from "../logs/log-tree.ts";

export interface EventRecordingOptions {
  readonly host: Pick<Host, "observe">;
  readonly clock: Clock;
  /** `$EXPDIR`, as a directory of this machine. */
  readonly experiment: string;
  /** Where an object is; `""` when that is no single node. */
  readonly nodeOf: (object: string) => string;
  /** Monotonic microseconds of an instant of event time. */
  readonly monotonicOf: (plannedUs: number) => number;
  /** Told once, when nothing is recorded any more. */
  readonly onError: (text: string) => void;
}

const header = "arrivaltime,firetime,vnode,objname,objecttype,eventtype,parent,arguments\n";

export class EventRecording {
  readonly #options: EventRecordingOptions;
  readonly #queue = new WorkQueue();
  #file: FileHandle | undefined;
  #hasFailed = false;
  #stopObserving: () => void = () => undefined;

  constructor(options: EventRecordingOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopObserving = this.#options.host.observe((entry: LogEntry, { observed }) => {
      for (const effect of observed) {
        if (effect.kind === "event-accepted") this.record(effect, entry.stampUs);
      }
    });
  }

  /** @param stampUs when it was accepted */
  record(effect: EventAccepted, stampUs: number): void {
    if (effect.event.object.startsWith("__ns_")) return;
    const row = this.#rowOf(effect, stampUs);
    void this.#queue.add(() => this.#write(row));
  }

  /** Resolves when all is written. */
  async stop(): Promise<void> {
    this.#stopObserving();
    await this.#queue.settle();
    await this.#file?.close();
  }

  #rowOf({ event, plannedUs, parent }: EventAccepted, stampUs: number): string {
    const { nodeOf, monotonicOf } = this.#options;
    const times = [stampUs, monotonicOf(plannedUs)].map((us) => this.#wall(us));
    const { object, type, event: what, args } = event;
    // One line for each, whatever its arguments; the old table did not mark them either.
    const line = args.replaceAll("\n", " ");
    return `${[...times, nodeOf(object), object, type, what, parent, line].join(",")}\n`;
  }

  /** `seconds:microseconds` since 1970. */
  #wall(monotonicUs: number): string {
    const { clock } = this.#options;
    const us = Math.round(clock.wallMs() * 1_000) + monotonicUs - clock.nowUs();
    const seconds = Math.floor(us / 1_000_000);
    return `${seconds}:${String(us - seconds * 1_000_000).padStart(6, "0")}`;
  }

  async #write(row: string): Promise<void> {
    if (this.#hasFailed) return;
    try {
      this.#file ??= await this.#open();
      await this.#file.write(row);
    } catch (error) {
      this.#hasFailed = true;
      const text = `events are not recorded in logs/events any more: ${errorText(error)}`;
      this.#options.onError(`${text}; record.ndjson has them`);
    }
  }

  /** Never through a link, nor into a file that is there: programs may write to the directory. */
  async #open(): Promise<FileHandle> {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = await withDirectories(this.#options.experiment, ["logs"], ({ at }) =>
      open(join(at, "events"), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o640),
    );
    await file.write(header);
    return file;
  }
}
