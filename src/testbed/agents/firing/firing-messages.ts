// SPDX-License-Identifier: MIT
// What a firing thread and its owner tell each other.
import type { MessagePort } from "node:worker_threads";
import type { FireAction } from "./fire-clock.ts";

/** What the word of an action says. */
export const armedWord = 0;
export const firedWord = 1;
export const revokedWord = 2;

export interface FiringThreadData {
  readonly signal: Int32Array;
  readonly port: MessagePort;
}

export type FiringRequest = ArmRequest | { readonly kind: "stop" };

export interface ArmRequest {
  readonly kind: "arm";
  readonly id: number;
  readonly dueUs: number;
  readonly action: FireAction;
  readonly word: Int32Array;
}

export interface FiredReport {
  readonly id: number;
  readonly firedUs: number;
  readonly error?: string;
}
