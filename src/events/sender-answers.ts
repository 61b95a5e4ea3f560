// SPDX-License-Identifier: MIT
// What a scheduler says to whoever asks, waits or watches: accepted, refused, completed, time 0.
// Owns the form of these notifications; when they are due is the scheduler's. [EMULAB-EVENTS 2.9]
import { answerTypes, requestAttribute } from "../client/event-request.ts";
import { formatArgs, formatCompletionArgs } from "../wire/event/args.ts";
import {
  attributeNames,
  createNotification,
  int32Attribute,
  type Notification,
  textAttribute,
} from "../wire/event/notification.ts";
import { type OrderSender, orderAttributes } from "../wire/event/orders.ts";
import type { RequestOrigin } from "./request-origin.ts";

/** Who has asked; where it was on the bus means nothing here. */
type Asker = Omit<RequestOrigin, "place" | "stamp" | "sender">;

interface About {
  readonly objname: string;
  readonly eventtype: string;
  readonly objtype?: string;
}

export class SenderAnswers {
  readonly #by: OrderSender;
  readonly #publish: (notification: Notification) => void;

  constructor(by: OrderSender, publish: (notification: Notification) => void) {
    this.#by = by;
    this.#publish = publish;
  }

  /** @param args what can be said of the event, such as its number */
  accepted(
    about: { readonly objname: string; readonly objtype?: string },
    { question, token }: Asker,
    args: string,
    extra: Notification["attributes"] = [],
  ): void {
    if (question === undefined) return;
    this.#say({ ...about, eventtype: answerTypes.accepted }, [
      textAttribute(attributeNames.args, args),
      ...extra,
      ...(token === undefined ? [] : [int32Attribute(attributeNames.token, token)]),
      textAttribute(requestAttribute, question),
    ]);
  }

  /** Who only waits for a completion hears that one. */
  refused(
    objname: string,
    { question, token }: Asker,
    { code, message }: { readonly code: string; readonly message: string },
  ): void {
    if (question !== undefined) {
      this.#say({ objname, eventtype: answerTypes.refused }, [
        textAttribute(attributeNames.args, refusalArgs(code, message)),
        textAttribute(requestAttribute, question),
      ]);
    } else if (token !== undefined) {
      this.completion({ object: objname, objectType: undefined }, -1, token);
    }
  }

  /** @param why it failed, for people; `""` when nobody said */
  completion(
    about: { readonly object: string; readonly objectType: string | undefined },
    error: number,
    token: number,
    why = "",
  ): void {
    const { object: objname, objectType: objtype } = about;
    const type = objtype === undefined ? {} : { objtype };
    const args = formatCompletionArgs({ error, token });
    const said = why === "" ? [] : [textAttribute(orderAttributes.outcome, why)];
    const extra = [textAttribute(attributeNames.args, args), ...said];
    this.#say({ objname, eventtype: "COMPLETE", ...type }, extra);
  }

  /** For agents, who begin anew, and for everybody who watches. [EMULAB-EVENTS 2.5] */
  timeStart(wallUs: number): void {
    const seconds = Math.trunc(wallUs / 1_000_000);
    this.#say({ objtype: "TIME", objname: "*", eventtype: "START" }, [
      int32Attribute(attributeNames.timeSeconds, seconds),
      int32Attribute(attributeNames.timeMicroseconds, wallUs - seconds * 1_000_000),
    ]);
  }

  #say(about: About, extra: Notification["attributes"]): void {
    const { experiment: expt, sender } = this.#by;
    const address = { ...about, expt, scheduler: 0 } as const;
    this.#publish(createNotification(address, { sender, layout: "2011", extra }));
  }
}

function refusalArgs(code: string, message: string): string {
  const formatted = formatArgs([
    ["CODE", code],
    ["TEXT", message],
  ]);
  if (formatted.kind === "args") return formatted.text;
  return `CODE=${code} TEXT='${message.replaceAll("'", "")}'`;
}
