// SPDX-License-Identifier: MIT
// Links of a tree of controllers over NATS, for `muster serve`: where neither reaches the other and
// both reach a broker. What goes over them is what goes over sockets (serve-tree.ts).
import type { Duplex } from "node:stream";
import { LogError } from "../../engine/log.ts";
import { callNatsChannel, listenNatsChannels } from "../../engine/nats-channel.ts";
import { connectNats } from "../../engine/nats-connection.ts";
import { maskNatsName, type NatsPlace } from "../../engine/nats-place.ts";
import { natsPlace } from "../../engine/open-log.ts";
import { calmLogger } from "../../host/calm-logger.ts";
import { systemClock } from "../../host/clock.ts";
import { newRunId } from "../../host/ids.ts";
import type { LinkListener } from "../../host/link-listener.ts";
import type { Logger } from "../../host/logger.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

export interface NatsAddress {
  readonly kind: "nats";
  /** As it was given. */
  readonly name: string;
  readonly place: NatsPlace;
}

/** @param option for the message. @throws CommandError */
export function readNatsAddress(
  name: string,
  natsCreds: string | undefined,
  option: string,
): NatsAddress {
  try {
    return { kind: "nats", name, place: natsPlace(name, { natsCreds }) };
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    throw new CommandError(exitCodes.usage, `${option}: ${error.message}`);
  }
}

/** Where one listens, and how that ends. */
export interface ListenedPlace {
  readonly place: string;
  readonly close: () => void | Promise<void>;
}

export interface ListenOverNatsOptions {
  readonly address: NatsAddress;
  /** Of this controller. */
  readonly name: string;
  /** Links at once, those by other ways included. */
  readonly countMax: number;
  readonly listener: LinkListener;
  readonly logger: Logger;
}

/** @throws LogError */
export async function listenOverNats(options: ListenOverNatsOptions): Promise<ListenedPlace> {
  const { address, name, countMax, listener } = options;
  // Whoever may publish there can call as often as he likes.
  const logger = calmLogger(options.logger, systemClock);
  const { connection } = await connectNats(address.place);
  const listening = listenNatsChannels({
    ...{ connection, clock: systemClock, stream: address.place.stream, name },
    refuses: () => {
      if (listener.connectionCount < countMax) return undefined;
      const why = `limit gnunetControllersMax (${countMax}) reached`;
      logger.log("warn", `controllers: ${why}; raise it with --limit`);
      return why;
    },
    onChannel: (channel) => listener.accept(channel),
  });
  return {
    place: maskNatsName(address.name),
    close: async () => {
      listening.close();
      // The end of links is said over it.
      await connection.drain();
    },
  };
}

export interface NatsDialer {
  readonly dial: () => Duplex;
  readonly close: () => void | Promise<void>;
}

/** @throws LogError */
export async function dialOverNats({ place }: NatsAddress, name: string): Promise<NatsDialer> {
  const { connection } = await connectNats(place);
  const about = { connection, clock: systemClock, stream: place.stream, name };
  return {
    dial: () => callNatsChannel(about, newRunId()),
    close: () => connection.drain(),
  };
}
