// SPDX-License-Identifier: MIT
// The values of XML-RPC, as what they are: an integer is not a double that happens to be whole.

export type XmlRpcValue =
  /** 32 bits: `int`, `i4`. */
  | { readonly kind: "int"; readonly value: number }
  /** 64 bits, an extension: `i8`. */
  | { readonly kind: "i8"; readonly value: bigint }
  | { readonly kind: "boolean"; readonly value: boolean }
  /** Finite. */
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "base64"; readonly value: Uint8Array }
  /** `YYYYMMDDTHH:MM:SS`, of a time zone that nobody says; other forms of ISO 8601 are kept. */
  | { readonly kind: "dateTime"; readonly value: string }
  | { readonly kind: "array"; readonly value: readonly XmlRpcValue[] }
  | { readonly kind: "struct"; readonly value: ReadonlyMap<string, XmlRpcValue> }
  /** An extension; never sent to a client that has not sent one. */
  | { readonly kind: "nil" };

export const int32Min = -2_147_483_648;
export const int32Max = 2_147_483_647;

export const text = (value: string): XmlRpcValue => ({ kind: "string", value });
export const flag = (value: boolean): XmlRpcValue => ({ kind: "boolean", value });
export const double = (value: number): XmlRpcValue => ({ kind: "double", value });
export const array = (value: readonly XmlRpcValue[]): XmlRpcValue => ({ kind: "array", value });

/** A whole number, in 32 bits if it fits. */
export function whole(value: number): XmlRpcValue {
  const fits = value >= int32Min && value <= int32Max;
  return fits ? { kind: "int", value } : { kind: "i8", value: BigInt(value) };
}

export function struct(members: Iterable<readonly [name: string, XmlRpcValue]>): XmlRpcValue {
  return { kind: "struct", value: new Map(members) };
}

/** A list of lists of text: how the tables of an experiment travel. */
export function textRows(rows: readonly (readonly string[])[]): XmlRpcValue {
  return array(rows.map((row) => array(row.map(text))));
}

/** The member of a struct; undefined for none, and for what is no struct. */
export function memberOf(value: XmlRpcValue | undefined, name: string): XmlRpcValue | undefined {
  return value?.kind === "struct" ? value.value.get(name) : undefined;
}
