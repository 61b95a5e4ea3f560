// SPDX-License-Identifier: MIT
// The messages of the Emulab sync wire as values. [EMULAB-SYNC 2]
// Names are bytes on the wire and byte strings here (one character per byte, U+00FF the largest).
import type { ErrorCode } from "../../core/code.ts";

/** The client machine's byte order, which the reply keeps. */
export type ByteOrder = "little" | "big";

/** 1: 72 bytes, answered 1. 2: 76 bytes, answered with the barrier's error. */
export type Version = 1 | 2;

/** Adds `count` waiters to the barrier; the initialiser itself is not among them. */
export interface InitRequest {
  readonly kind: "init";
  readonly name: string;
  /** 1 .. 2^31 - 1. */
  readonly count: number;
  /** False with flag bit 0: answered at once. */
  readonly waits: boolean;
  /** 0 .. 239; always 0 in version 1, which has no place for it. */
  readonly error: number;
}

export interface WaitRequest {
  readonly kind: "wait";
  readonly name: string;
  readonly error: number;
}

/** Muster's extension: who is at the barrier and who is missing. */
export interface DescribeRequest {
  readonly kind: "describe";
  readonly name: string;
}

export type SyncRequest = InitRequest | WaitRequest | DescribeRequest;

/** A request with what the reply must be like. */
export interface RequestFrame {
  readonly kind: "request";
  readonly version: Version;
  readonly byteOrder: ByteOrder;
  readonly request: SyncRequest;
}

/** Bytes that are no request. Definite: nothing happened. */
export interface RefusedFrame {
  readonly kind: "refused";
  readonly code: ErrorCode;
  /** Says which clause is broken and what would have been right. */
  readonly message: string;
}
