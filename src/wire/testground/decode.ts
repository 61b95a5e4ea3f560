// SPDX-License-Identifier: MIT
// What clients send, and, for clients of ours, what the server sends. [TESTGROUND 3, 4]
//
// Names of fields are compared as the old server's JSON reader does: whatever the case of their
// letters, the last one of several counts, `null` is as if it were not there, unknown ones are
// passed over. [TESTGROUND 2]

import { depthOf, membersOf, stringOf } from "../json-text.ts";
import { depthMax } from "./constants.ts";
import type { DecodeResult, Operation, Request, Response } from "./messages.ts";

/** Fields of a request while it is read. */
interface Fields {
  id: string;
  is_cancel: boolean;
  publish: { topic: string; payload: string } | undefined;
  subscribe: { topic: string } | undefined;
  barrier: { state: string; target: number } | undefined;
  signal_entry: { state: string } | undefined;
}

class WrongType extends Error {
  override readonly name = "WrongType";
}

/** A message of a client. */
export function decodeRequest(text: string): DecodeResult {
  const usual = readUsual(text);
  if (usual !== undefined) return { kind: "request", request: usual };
  // A text is no deeper than it is long.
  if (text.length > depthMax && depthOf(text) > depthMax) {
    return { kind: "refused", message: `values are more than ${depthMax} deep` };
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return { kind: "refused", message: "a request is a JSON object" };
    }
    return { kind: "request", request: requestOf(readFields(text)) };
  } catch (error) {
    if (error instanceof WrongType) return { kind: "refused", message: error.message };
    if (error instanceof SyntaxError) return { kind: "refused", message: "this is no JSON" };
    throw error;
  }
}

/** A string of JSON without escapes: no quote, no backslash, no control character. */
const plain = '"([ !#-[\\]-\\uffff]*)"';
const usualOperation =
  `"(?:signal_entry":\\{"state":${plain}\\}|` +
  `barrier":\\{"state":${plain},"target":(0|[1-9]\\d{0,14})\\})`;
const idFirst = new RegExp(`^\\{"id":${plain},(?:"is_cancel":false,)?${usualOperation}\\}$`);
const idLast = new RegExp(`^\\{${usualOperation},"id":${plain}\\}$`);

/**
 * Signals and waits as libraries write them, which is most of what is ever said: read by one look.
 * What fits is JSON, with each name once, so that it means the same when it is taken apart; what
 * does not fit is.
 */
function readUsual(text: string): Request | undefined {
  const first = idFirst.exec(text);
  if (first !== null) {
    const [, id, signal, barrier, target] = first;
    return usualRequest(id, signal, barrier, target);
  }
  const last = idLast.exec(text);
  if (last === null) return undefined;
  const [, signal, barrier, target, id] = last;
  return usualRequest(id, signal, barrier, target);
}

function usualRequest(id = "", signal?: string, barrier = "", target?: string): Request {
  const operation: Operation =
    signal === undefined
      ? { kind: "barrier", state: barrier, target: Number(target) }
      : { kind: "signal", state: signal };
  return { id, isCancel: false, operation };
}

/** If several operations are there only one counts, the first of this order. [TESTGROUND 3] */
function requestOf(fields: Fields): Request {
  const { id, is_cancel: isCancel, publish, subscribe, barrier, signal_entry: signal } = fields;
  const operation: Operation | undefined =
    (publish && { kind: "publish", ...publish }) ??
    (subscribe && { kind: "subscribe", ...subscribe }) ??
    (barrier && { kind: "barrier", ...barrier }) ??
    (signal && { kind: "signal", ...signal });
  return operation === undefined ? { id, isCancel } : { id, isCancel, operation };
}

function readFields(text: string): Fields {
  const fields: Fields = {
    id: "",
    is_cancel: false,
    publish: undefined,
    subscribe: undefined,
    barrier: undefined,
    signal_entry: undefined,
  };
  for (const { name, text: value } of membersOf(text)) {
    switch (fold(name)) {
      case "id":
        fields.id = readString(value, "id") ?? fields.id;
        break;
      case "is_cancel":
        fields.is_cancel = readFlag(value, "is_cancel") ?? fields.is_cancel;
        break;
      case "publish":
        fields.publish = readPublish(value, fields.publish);
        break;
      case "subscribe":
        fields.subscribe = readTopic(value, fields.subscribe);
        break;
      case "barrier":
        fields.barrier = readBarrier(value, fields.barrier);
        break;
      case "signal_entry":
        fields.signal_entry = readState(value, fields.signal_entry);
        break;
      default:
        break;
    }
  }
  return fields;
}

function readPublish(text: string, before: Fields["publish"]): Fields["publish"] {
  if (text === "null") return undefined;
  const publish = { topic: "", payload: "null", ...before };
  for (const { name, text: value } of objectMembers(text, "publish")) {
    const field = fold(name);
    if (field === "topic") publish.topic = readString(value, "topic") ?? publish.topic;
    else if (field === "payload") publish.payload = value;
  }
  return publish;
}

function readTopic(text: string, before: Fields["subscribe"]): Fields["subscribe"] {
  if (text === "null") return undefined;
  let topic = before?.topic ?? "";
  for (const { name, text: value } of objectMembers(text, "subscribe")) {
    if (fold(name) === "topic") topic = readString(value, "topic") ?? topic;
  }
  return { topic };
}

function readBarrier(text: string, before: Fields["barrier"]): Fields["barrier"] {
  if (text === "null") return undefined;
  const barrier = { state: "", target: 0, ...before };
  for (const { name, text: value } of objectMembers(text, "barrier")) {
    const field = fold(name);
    if (field === "state") barrier.state = readString(value, "state") ?? barrier.state;
    else if (field === "target") barrier.target = readInteger(value) ?? barrier.target;
  }
  return barrier;
}

function readState(text: string, before: Fields["signal_entry"]): Fields["signal_entry"] {
  if (text === "null") return undefined;
  let state = before?.state ?? "";
  for (const { name, text: value } of objectMembers(text, "signal_entry")) {
    if (fold(name) === "state") state = readString(value, "state") ?? state;
  }
  return { state };
}

function objectMembers(text: string, name: string) {
  if (!text.startsWith("{")) throw new WrongType(`${name} is not an object`);
  return membersOf(text);
}

/** @returns undefined for `null`. */
function readString(text: string, name: string): string | undefined {
  if (text === "null") return undefined;
  if (!text.startsWith('"')) throw new WrongType(`${name} is not a string`);
  return stringOf(text);
}

function readFlag(text: string, name: string): boolean | undefined {
  if (text === "null") return undefined;
  if (text !== "true" && text !== "false") throw new WrongType(`${name} is neither true nor false`);
  return text === "true";
}

function readInteger(text: string): number | undefined {
  if (text === "null") return undefined;
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new WrongType("target is not a whole number");
  return value;
}

const plainNames: ReadonlySet<string> = new Set([
  ...["id", "is_cancel", "publish", "subscribe", "barrier", "signal_entry"],
  ...["topic", "payload", "state", "target"],
]);

/** Letters that the old server's reader takes for `s` and `k`, beside those of ASCII. */
function fold(name: string): string {
  if (plainNames.has(name)) return name;
  return name.replaceAll("\u017f", "s").replaceAll("\u212a", "k").toLowerCase();
}

/** A message of the server; undefined for what is none. For clients, in tests and benchmarks. */
export function decodeResponse(text: string): Response | undefined {
  const value = JSON.parse(text) as {
    readonly id: string;
    readonly error?: string;
    readonly publish?: { readonly seq: number } | null;
    readonly subscribe?: string;
    readonly signal_entry?: { readonly seq: number } | null;
  };
  const { id, error = "", publish, subscribe = "", signal_entry: signal } = value;
  if (error !== "") return { kind: "failed", id, error };
  if (publish) return { kind: "published", id, sequence: publish.seq };
  if (signal) return { kind: "signalled", id, sequence: signal.seq };
  if (subscribe !== "") return { kind: "message", id, payload: subscribe };
  return { kind: "done", id };
}
