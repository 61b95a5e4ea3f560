// SPDX-License-Identifier: MIT
// What the traffic agent and its threads tell each other.
import type { TrafficSettings } from "./traffic-settings.ts";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** A socket that is bound there already, or connected: the thread owns it from then on. */
  readonly descriptor?: number;
}

/** Which end of a flow. */
export type TrafficRole = "source" | "sink";

export interface FlowEnds {
  readonly protocol: "udp" | "tcp";
  readonly source: Endpoint;
  readonly sink: Endpoint;
}

/** Sends from this instant on, monotonic microseconds; answered when the first packet is due. */
export interface StartOrder {
  readonly kind: "start";
  readonly atUs: number;
  readonly settings: TrafficSettings;
}

/** Orders that are obeyed at once. */
export type EndOrder =
  /** Opens this thread's end; a source of TCP connects. An end that is open is opened anew. */
  | { readonly kind: "open"; readonly ends: FlowEnds; readonly settings: TrafficSettings }
  | { readonly kind: "change"; readonly settings: TrafficSettings }
  | { readonly kind: "stop" }
  | { readonly kind: "count" }
  | { readonly kind: "close" };

export type TrafficOrder = StartOrder | EndOrder;

export interface TrafficRequest {
  readonly id: number;
  readonly flow: string;
  readonly order: TrafficOrder;
}

/** Of one end. A source counts what it sent, a sink what it received. */
export interface EndCounts {
  readonly packets: number;
  readonly bytes: number;
  /** Packets that could not be sent in time. */
  readonly lost: number;
}

export interface TrafficReply {
  readonly id: number;
  /** What went wrong. */
  readonly error?: string;
  readonly counts?: EndCounts;
  /** A start that another order came before. */
  readonly isCancelled?: boolean;
  /** Monotonic microseconds at which the order was obeyed, read by who obeyed it. */
  readonly atUs: number;
}

export interface TrafficThreadData {
  readonly role: TrafficRole;
}
