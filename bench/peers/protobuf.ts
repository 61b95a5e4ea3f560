// SPDX-License-Identifier: MIT
// As much of protobuf and of gRPC's framing as a barrier of etcd needs: fields that are numbers or
// bytes, one message a frame.

/** The values of each field, in order: numbers, and bytes for text and messages. */
export type Fields = ReadonlyMap<number, readonly (number | Uint8Array)[]>;

const [varintType, bytesType] = [0, 2];

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

export function field(number: number, value: number | string | Uint8Array): Buffer {
  if (typeof value === "number") {
    return Buffer.concat([varint(number * 8 + varintType), varint(value)]);
  }
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(number * 8 + bytesType), varint(bytes.length), bytes]);
}

/** @throws RangeError for a type that etcd does not send here. */
export function parse(message: Uint8Array): Fields {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const readVarint = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = message[at] ?? 0;
      at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (at < message.length) {
    const key = readVarint();
    const [number, type] = [Math.floor(key / 8), key % 8];
    let value: number | Uint8Array = readVarint();
    if (type === bytesType) {
      const end = at + value;
      value = message.subarray(at, end);
      at = end;
    } else if (type !== varintType) throw new RangeError(`a field of type ${type}`);
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

/** The number in a field; 0 when it is absent, which protobuf means by that. */
export function numberOf(fields: Fields, number: number): number {
  const value = fields.get(number)?.at(-1);
  return typeof value === "number" ? value : 0;
}

/** A message as gRPC carries it: not compressed, with its length. */
export function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Cuts what comes into messages. */
export class Frames {
  readonly #onMessage: (message: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (data.length >= 5 && data.length >= 5 + data.readUInt32BE(1)) {
      const end = 5 + data.readUInt32BE(1);
      this.#onMessage(data.subarray(5, end));
      data = data.subarray(end);
    }
    this.#rest = data;
  }
}
