// SPDX-License-Identifier: MIT
// Asks a Muster server who is at a barrier and who is missing, by the request word of our own. A
// server of old closes the connection without an answer: it cannot tell.
import { connect } from "node:net";
import type { BarrierDescription } from "../core/description.ts";
import { controlCharacters } from "../core/text.ts";
import {
  type ByteOrder,
  decodeDescribeReply,
  describeBytesMax,
  encodeRequest,
} from "../wire/emulab-sync/index.ts";
import type { ClientRuntime } from "./runtime.ts";

export interface DescribeOptions {
  readonly address: string;
  readonly port: number;
  readonly name: string;
  readonly byteOrder: ByteOrder;
  readonly runtime: ClientRuntime;
  readonly timeoutMs: number;
}

/** How the question ended: `refused` is definite, nobody listens there; `no-connection` is not. */
export type DescribeAnswer =
  /** `barrier` is undefined when the server cannot tell, null when it knows no such barrier. */
  | { readonly kind: "answered"; readonly barrier: BarrierDescription | null | undefined }
  | { readonly kind: "refused" }
  | { readonly kind: "no-connection" };

export async function askWhoIsMissing(options: DescribeOptions): Promise<DescribeAnswer> {
  const bytes = await exchange(options);
  if (typeof bytes === "string") return { kind: bytes };
  const json = decodeDescribeReply(bytes, options.byteOrder);
  return { kind: "answered", barrier: json === undefined ? undefined : parseDescription(json) };
}

/** The bytes of the answer, or why there was nobody to ask. */
function exchange({ address, port, name, byteOrder, runtime, timeoutMs }: DescribeOptions) {
  const request = encodeRequest({ kind: "describe", name }, { version: 2, byteOrder });
  return new Promise<Uint8Array | "refused" | "no-connection">((resolve) => {
    const socket = connect({ host: address, port });
    const received: Buffer[] = [];
    let receivedBytes = 0;
    let isConnected = false;
    let isRefused = false;
    const finish = (): void => {
      cancel();
      socket.destroy();
      if (isConnected) resolve(Buffer.concat(received));
      else resolve(isRefused ? "refused" : "no-connection");
    };
    const cancel = runtime.after(timeoutMs, finish);
    socket.on("connect", () => {
      isConnected = true;
      socket.write(request);
    });
    socket.on("data", (chunk: Buffer) => {
      received.push(chunk);
      receivedBytes += chunk.length;
      if (receivedBytes > describeBytesMax + 4) socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      isRefused = error.code === "ECONNREFUSED";
      finish();
    });
    socket.on("close", finish);
  });
}

/** The server is another program, perhaps of another version: only what is as expected is taken. */
function parseDescription(json: string): BarrierDescription | null | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json, (_key, item: unknown) => tamed(item));
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value["version"] !== 1) return undefined;
  const barrier = value["barrier"];
  if (barrier === null) return null;
  return isDescription(barrier) ? barrier : undefined;
}

/** Characters of one text of the server that are taken. */
const textMax = 255;

/** What the server says ends up on a terminal: it is text and nothing else. */
function tamed(item: unknown): unknown {
  return typeof item === "string" ? item.slice(0, textMax).replace(controlCharacters, "?") : item;
}

function isDescription(value: unknown): value is BarrierDescription {
  return (
    isRecord(value) &&
    typeof value["expected"] === "number" &&
    typeof value["arrived"] === "number" &&
    Array.isArray(value["missing"]) &&
    value["missing"].every((item) => typeof item === "string") &&
    Array.isArray(value["waiting"]) &&
    value["waiting"].every((item) => isRecord(item) && isParticipant(item["who"]))
  );
}

function isParticipant(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value["address"] === "string" &&
    (value["node"] === undefined || typeof value["node"] === "string") &&
    (value["name"] === undefined || typeof value["name"] === "string")
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
