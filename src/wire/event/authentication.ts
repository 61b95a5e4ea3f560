// SPDX-License-Identifier: MIT
// Who holds the key of an experiment, and nobody else, makes notifications that its receivers take.
// Owns the bytes that are authenticated; hashing, time and nonces are handed in. What a receiver
// remembers is in verifier.ts.
//
// Muster's form is one opaque attribute, `__auth__`: a version, the time of sending, a nonce, and
// HMAC-SHA-256 over canonical bytes. Against the old `__hmac__`, which hashed values alone in the
// order and byte order of the sender's memory [EMULAB-EVENTS 1.7, 9.27, 9.30]:
//
//   A1. Names, types and lengths are authenticated: no other notification has the same bytes.
//   A2. The order of attributes is not, because it means nothing: a gateway may change it.
//   A3. Time and nonce are authenticated: what was captured cannot be sent again.
//   A4. The version is the first byte: another scheme is another number, never a guess.
import { assert } from "../../core/assert.ts";
import { encodeUtf8 } from "../bytes.ts";
import { keyBytesMax } from "./limits.ts";
import type { Attribute, AttributeValue, Notification } from "./notification.ts";
import {
  attributeNames,
  getOpaque,
  opaqueAttribute,
  withAttribute,
  withoutAttribute,
} from "./notification.ts";

/** The hashes of the platform; host/event-hash.ts has them. */
export interface KeyedHash {
  hmacSha1(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** Takes the same time wherever they differ; false for different lengths. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

export const authenticationVersion = 1;
export const nonceBytes = 16;
const timeBytes = 8;
const headBytes = 1 + timeBytes + nonceBytes;
const macBytes = 32;

/**
 * Names that are not part of what is authenticated: they authenticate, or the old broker adds them.
 */
const excludedFromHmac: readonly string[] = ["__hmac__", "__elvin_hmac__", "___elvin_ordered___"];

export interface Authentication {
  /** When it was sent: microseconds since 1970. */
  readonly timeUs: bigint;
  readonly nonce: Uint8Array;
}

/** Adds `__auth__`, in place of one that is there. The nonce must never have been used before. */
export function authenticate(
  notification: Notification,
  { timeUs, nonce }: Authentication,
  { key, hash }: { readonly key: Uint8Array; readonly hash: KeyedHash },
): Notification {
  assert(nonce.length === nonceBytes, `a nonce has ${nonceBytes} bytes`);
  const value = new Uint8Array(headBytes + macBytes);
  value[0] = authenticationVersion;
  new DataView(value.buffer).setBigInt64(1, timeUs);
  value.set(nonce, 1 + timeBytes);
  value.set(canonicalMac(notification, value.subarray(0, headBytes), { key, hash }), headBytes);
  return withAttribute(notification, opaqueAttribute(attributeNames.authentication, value));
}

export type ReadAuthentication =
  | { readonly kind: "missing" }
  /** Another version, or another length: nothing of it can be believed. */
  | { readonly kind: "unreadable" }
  | ({
      readonly kind: "read";
      readonly head: Uint8Array;
      readonly mac: Uint8Array;
    } & Authentication);

/** What a notification says of its own authentication, unverified. */
export function readAuthentication(notification: Notification): ReadAuthentication {
  const value = getOpaque(notification, attributeNames.authentication);
  if (value === undefined) return { kind: "missing" };
  if (value[0] !== authenticationVersion || value.length !== headBytes + macBytes) {
    return { kind: "unreadable" };
  }
  const head = value.slice(0, headBytes);
  const timeUs = new DataView(head.buffer).getBigInt64(1);
  const nonce = head.slice(1 + timeBytes);
  return { kind: "read", head, mac: value.slice(headBytes), timeUs, nonce };
}

/** Begins the canonical bytes, so that they are those of nothing else under the same key. */
const purposeBytes = encodeUtf8("muster notification\0");

const surrogate = /[\ud800-\udfff]/;

const typeTags: Readonly<Record<AttributeValue["kind"], number>> = {
  int32: 1,
  int64: 2,
  real64: 3,
  string: 4,
  opaque: 5,
};

/**
 * What HMAC-SHA-256 is taken of: the purpose and a NUL, the head (version, time, nonce), the number
 * of attributes, and each of them, by the bytes of their names: type, length of the name, name,
 * length of the value, value. Integers are big-endian, lengths and the number have 32 bits.
 */
export function canonicalBytes(notification: Notification, head: Uint8Array): Uint8Array {
  return writeCanonical(new ByteWriter(), notification, head);
}

/** What HMAC-SHA-256 gives for the canonical bytes, which nobody keeps. */
export function canonicalMac(
  notification: Notification,
  head: Uint8Array,
  { key, hash }: { readonly key: Uint8Array; readonly hash: KeyedHash },
): Uint8Array {
  return hash.hmacSha256(key, writeCanonical(scratch.clear(), notification, head));
}

function writeCanonical(
  writer: ByteWriter,
  notification: Notification,
  head: Uint8Array,
): Uint8Array {
  const counted = notification.attributes.filter(({ name }) => isCounted(name));
  writer.bytes(purposeBytes).bytes(head).u32(counted.length);
  for (const { name, value } of inNameOrder(counted)) {
    writer.u8(typeTags[value.kind]).sizedText(name);
    writeSized(writer, value);
  }
  return writer.finish();
}

function isCounted(name: string): boolean {
  return name !== attributeNames.authentication && !excludedFromHmac.includes(name);
}

/** By the bytes of the names: UTF-16 orders as UTF-8 does where there are no surrogates. */
function inNameOrder(attributes: readonly Attribute[]): readonly Attribute[] {
  if (attributes.every(({ name }) => !surrogate.test(name))) {
    return attributes.toSorted((a, b) => compareText(a.name, b.name));
  }
  return attributes
    .map((attribute) => ({ attribute, bytes: encodeUtf8(attribute.name) }))
    .sort((a, b) => compareBytes(a.bytes, b.bytes))
    .map(({ attribute }) => attribute);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The value behind its length. */
function writeSized(writer: ByteWriter, value: AttributeValue): void {
  switch (value.kind) {
    case "int32":
      writer.u32(4).i32(value.value);
      return;
    case "int64":
      writer.u32(8).i64(value.value);
      return;
    case "real64":
      writer.u32(8).f64(value.value);
      return;
    case "string":
      writer.sizedText(value.value);
      return;
    case "opaque":
      writer.u32(value.value.length).bytes(value.value);
      return;
  }
}

function canonicalValue(value: AttributeValue): Uint8Array {
  switch (value.kind) {
    case "int32":
      return new ByteWriter(4).i32(value.value).finish();
    case "int64":
      return new ByteWriter(8).i64(value.value).finish();
    case "real64":
      return new ByteWriter(8).f64(value.value).finish();
    case "string":
      return encodeUtf8(value.value);
    case "opaque":
      return value.value;
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < a.length && index < b.length; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * What the old library took HMAC-SHA1 of: the values in stored order, strings without their NUL,
 * numbers as they lie in the memory of a little-endian machine. [EMULAB-EVENTS 1.7]
 */
export function legacyBytes(notification: Notification): Uint8Array {
  const writer = new ByteWriter();
  for (const { name, value } of notification.attributes) {
    if (excludedFromHmac.includes(name)) continue;
    const bytes = canonicalValue(value);
    const isNumber = value.kind !== "string" && value.kind !== "opaque";
    writer.bytes(isNumber ? bytes.toReversed() : bytes);
  }
  return writer.finish();
}

/** Adds `__hmac__`, in place of one that is there: for recorded notifications and old receivers. */
export function addLegacyHmac(
  notification: Notification,
  { key, hash }: { readonly key: Uint8Array; readonly hash: KeyedHash },
): Notification {
  const bare = withoutAttribute(notification, attributeNames.hmac);
  const mac: Attribute = opaqueAttribute(
    attributeNames.hmac,
    hash.hmacSha1(key, legacyBytes(bare)),
  );
  return { attributes: [...bare.attributes, mac] };
}

/**
 * What the old library said of a notification. It proves the key, not the time, and not where one
 * value ends and the next begins: no receiver of Muster's relies on it.
 */
export function checkLegacyHmac(
  notification: Notification,
  { key, hash }: { readonly key: Uint8Array; readonly hash: KeyedHash },
): "match" | "missing" | "mismatch" {
  const given = getOpaque(notification, attributeNames.hmac);
  if (given === undefined) return "missing";
  const mac = hash.hmacSha1(key, legacyBytes(notification));
  return hash.equal(mac, given) ? "match" : "mismatch";
}

/** Why a key cannot be used, or undefined. A key is all bytes of its file. [EMULAB-EVENTS 1.7] */
export function findKeyFault(key: Uint8Array): string | undefined {
  if (key.length === 0) return "the key is empty; make a new one";
  if (key.length <= keyBytesMax) return undefined;
  return `the key has ${key.length} bytes, at most ${keyBytesMax}; is this the right file?`;
}

/** Collects bytes in one growing buffer; integers are big-endian. */
class ByteWriter {
  #buffer: Uint8Array;
  #view: DataView;
  #length = 0;

  /** @param bytesFirst most of what is written fits */
  constructor(bytesFirst = writerBytesFirst) {
    this.#buffer = new Uint8Array(bytesFirst);
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** Begins anew; what `finish` gave is overwritten. */
  clear(): this {
    this.#length = 0;
    return this;
  }

  bytes(part: Uint8Array): this {
    const at = this.#reserve(part.length);
    this.#buffer.set(part, at);
    return this;
  }

  /** UTF-8 behind its length. Most texts are ASCII, and as long as their bytes. */
  sizedText(text: string): this {
    const at = this.#reserve(4 + text.length);
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.#length = at;
        const bytes = encodeUtf8(text);
        return this.u32(bytes.length).bytes(bytes);
      }
      this.#buffer[at + 4 + index] = code;
    }
    this.#view.setUint32(at, text.length);
    return this;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
    return this;
  }

  i32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setInt32(at, value);
    return this;
  }

  i64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, value);
    return this;
  }

  /** What is not a number has one form here, whatever the machine made. */
  f64(value: number): this {
    if (Number.isNaN(value)) return this.i64(0x7ff8000000000000n);
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value);
    return this;
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** @returns where the next `count` bytes go */
  #reserve(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length <= this.#buffer.length) return at;
    const larger = new Uint8Array(Math.max(this.#length, this.#buffer.length * 2));
    larger.set(this.#buffer);
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
    return at;
  }
}

/** Most notifications fit. */
const writerBytesFirst = 1_024;

/** One for all: a buffer for each notification would cost more than its hash. */
const scratch = new ByteWriter();
