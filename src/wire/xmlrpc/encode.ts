// SPDX-License-Identifier: MIT
// Calls and responses to bytes, without white space. Characters that XML has not are sent as
// U+FFFD: what a program printed must not make an answer unreadable.
import { assert } from "../../core/assert.ts";
import { encodeBase64 } from "../base64.ts";
import { encodeUtf8 } from "../bytes.ts";
import type { Fault, MethodCall, MethodResponse } from "./messages.ts";
import { int32Max, int32Min, struct, text, type XmlRpcValue } from "./values.ts";
import { isExcluded } from "./xml-reader.ts";

const declaration = '<?xml version="1.0" encoding="UTF-8"?>';

export function encodeCall({ method, params }: Omit<MethodCall, "kind">): Uint8Array {
  const values = params.map((value) => `<param>${valueText(value)}</param>`).join("");
  const name = `<methodName>${escapeText(method)}</methodName>`;
  return encodeUtf8(`${declaration}<methodCall>${name}<params>${values}</params></methodCall>`);
}

export function encodeResponse(response: MethodResponse): Uint8Array {
  const inner =
    response.kind === "fault"
      ? `<fault>${valueText(faultValue(response))}</fault>`
      : `<params><param>${valueText(response.value)}</param></params>`;
  return encodeUtf8(`${declaration}<methodResponse>${inner}</methodResponse>`);
}

function faultValue({ code, message }: Fault): XmlRpcValue {
  return struct([
    ["faultCode", { kind: "int", value: code }],
    ["faultString", text(message)],
  ]);
}

function valueText(value: XmlRpcValue): string {
  return `<value>${typedText(value)}</value>`;
}

function typedText(value: XmlRpcValue): string {
  switch (value.kind) {
    case "int":
      assert(
        Number.isInteger(value.value) && value.value >= int32Min && value.value <= int32Max,
        "an int has 32 bits",
      );
      return `<int>${value.value}</int>`;
    case "i8":
      assert(BigInt.asIntN(64, value.value) === value.value, "an i8 has 64 bits");
      return `<i8>${value.value}</i8>`;
    case "boolean":
      return `<boolean>${value.value ? 1 : 0}</boolean>`;
    case "double":
      return `<double>${decimal(value.value)}</double>`;
    case "string":
      return `<string>${escapeText(value.value)}</string>`;
    case "base64":
      return `<base64>${encodeBase64(value.value)}</base64>`;
    case "dateTime":
      return `<dateTime.iso8601>${escapeText(value.value)}</dateTime.iso8601>`;
    case "array":
      return `<array><data>${value.value.map(valueText).join("")}</data></array>`;
    case "struct":
      return `<struct>${[...value.value].map(memberText).join("")}</struct>`;
    case "nil":
      return "<nil/>";
  }
}

function memberText([name, value]: readonly [string, XmlRpcValue]): string {
  return `<member><name>${escapeText(name)}</name>${valueText(value)}</member>`;
}

/** XML-RPC knows no exponents. */
function decimal(value: number): string {
  assert(Number.isFinite(value), "a double is a number");
  const shortest = String(value);
  const [, sign = "", first = "", rest = "", power] =
    /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(shortest) ?? [];
  if (power === undefined) return shortest;
  const digits = first + rest;
  const point = 1 + Number(power);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, "0")}`;
}

function escapeText(value: string): string {
  let escaped = "";
  for (const character of value) escaped += escapeOne(character);
  return escaped;
}

function escapeOne(character: string): string {
  switch (character) {
    case "&":
      return "&amp;";
    case "<":
      return "&lt;";
    case ">":
      return "&gt;";
    case "\r":
      // A bare one would be read as a line end.
      return "&#13;";
    default:
      return isExcluded(character.codePointAt(0) ?? 0) ? "\u{fffd}" : character;
  }
}
