// SPDX-License-Identifier: MIT
// Bytes to calls and responses. Strict in what a value may hold, lenient in what cannot mislead:
// white space between elements, attributes, both ways to write an integer. Never throws.

import { decodeBase64 } from "../base64.ts";
import { decodeUtf8 } from "../bytes.ts";
import { messageBytesMax, methodCharsMax, paramsMax } from "./limits.ts";
import type { Malformed, MethodCall, MethodResponse } from "./messages.ts";
import { int32Max, int32Min, type XmlRpcValue } from "./values.ts";
import { readXml, type XmlElement, XmlError } from "./xml-reader.ts";

export function decodeCall(bytes: Uint8Array): MethodCall | Malformed {
  return decode(bytes, "methodCall", (root) => {
    const [name, params, ...rest] = childrenOf(root);
    if (name?.name !== "methodName" || rest.length > 0) {
      throw new ShapeError("a methodCall holds a methodName and params");
    }
    const method = textOf(name).trim();
    const isName = /^[\w.:/]+$/.test(method) && method.length <= methodCharsMax;
    if (!isName) {
      throw new ShapeError(`the name of the method is none, or longer than ${methodCharsMax}`);
    }
    const values = params === undefined ? [] : paramsOf(params);
    if (values.length > paramsMax) {
      throw new ShapeError(`there are more than ${paramsMax} parameters (limit paramsMax)`);
    }
    return { kind: "call", method, params: values };
  });
}

export function decodeResponse(bytes: Uint8Array): MethodResponse | Malformed {
  return decode(bytes, "methodResponse", (root) => {
    const inner = onlyChild(root);
    if (inner.name === "fault") return faultOf(readValue(onlyChild(inner)));
    const [value, ...rest] = paramsOf(inner);
    if (value === undefined || rest.length > 0) {
      throw new ShapeError("a methodResponse holds one param");
    }
    return { kind: "value", value };
  });
}

/** A document that is no XML-RPC. */
class ShapeError extends Error {
  override readonly name = "ShapeError";
}

function decode<T>(
  bytes: Uint8Array,
  root: string,
  read: (element: XmlElement) => T,
): T | Malformed {
  try {
    if (bytes.length > messageBytesMax) {
      throw new XmlError(
        `the message is longer than ${messageBytesMax} bytes (limit messageBytesMax)`,
      );
    }
    const text = decodeUtf8(bytes);
    if (text === undefined) throw new XmlError("the message is not UTF-8");
    const element = readXml(text);
    if (element.name !== root) throw new ShapeError(`<${element.name}> is no ${root}`);
    return read(element);
  } catch (error) {
    if (error instanceof XmlError) {
      return { kind: "malformed", code: "not-xml", message: error.message };
    }
    if (!(error instanceof ShapeError)) throw error;
    return { kind: "malformed", code: "not-xmlrpc", message: error.message };
  }
}

function faultOf(value: XmlRpcValue): MethodResponse {
  const members = value.kind === "struct" ? value.value : new Map<string, XmlRpcValue>();
  const [code, message] = [members.get("faultCode"), members.get("faultString")];
  if (code?.kind !== "int" || message?.kind !== "string") {
    throw new ShapeError("a fault holds a faultCode and a faultString");
  }
  return { kind: "fault", code: code.value, message: message.value };
}

function paramsOf(element: XmlElement): readonly XmlRpcValue[] {
  expectName(element, "params");
  return childrenOf(element).map((param) => {
    expectName(param, "param");
    return readValue(onlyChild(param));
  });
}

/** Recursive as deep as the reader lets elements be (limits.ts). */
function readValue(element: XmlElement): XmlRpcValue {
  expectName(element, "value");
  // A value without a type is a text, and its blanks count.
  if (element.children.length === 0) return { kind: "string", value: element.text };
  const typed = onlyChild(element);
  switch (typed.name) {
    case "array":
      return arrayOf(typed);
    case "struct":
      return structOf(typed);
    default:
      return scalarOf(typed);
  }
}

function arrayOf(element: XmlElement): XmlRpcValue {
  const data = onlyChild(element);
  expectName(data, "data");
  return { kind: "array", value: childrenOf(data).map(readValue) };
}

function structOf(element: XmlElement): XmlRpcValue {
  const members = new Map<string, XmlRpcValue>();
  for (const member of childrenOf(element)) {
    expectName(member, "member");
    const [name, value, ...rest] = childrenOf(member);
    if (name?.name !== "name" || value === undefined || rest.length > 0) {
      throw new ShapeError("a member holds a name and a value");
    }
    const key = textOf(name);
    // Which of the two is meant nobody can say.
    if (members.has(key)) throw new ShapeError(`the member ${JSON.stringify(key)} is there twice`);
    members.set(key, readValue(value));
  }
  return { kind: "struct", value: members };
}

/** Each type by its name. @returns undefined for text that is none of its values */
const scalars: ReadonlyMap<string, (text: string) => XmlRpcValue | undefined> = new Map([
  ["int", intOf],
  ["i4", intOf],
  ["i8", i8Of],
  ["ex:i8", i8Of],
  ["boolean", booleanOf],
  ["double", doubleOf],
  ["string", (value: string): XmlRpcValue => ({ kind: "string", value })],
  ["base64", bytesOf],
  ["dateTime.iso8601", dateTimeOf],
  ["nil", nilOf],
  ["ex:nil", nilOf],
]);

function scalarOf(element: XmlElement): XmlRpcValue {
  const read = scalars.get(element.name);
  if (read === undefined) throw new ShapeError(`<${element.name}> is no type of a value`);
  const value = read(textOf(element));
  if (value === undefined) throw new ShapeError(`this <${element.name}> is none`);
  return value;
}

function intOf(given: string): XmlRpcValue | undefined {
  const value = /^[+-]?\d{1,10}$/.test(given.trim()) ? Number(given) : Number.NaN;
  // `-0` is 0.
  return value >= int32Min && value <= int32Max ? { kind: "int", value: value + 0 } : undefined;
}

function i8Of(given: string): XmlRpcValue | undefined {
  const [, sign, digits] = /^([+-]?)(\d{1,19})$/.exec(given.trim()) ?? [];
  if (digits === undefined) return undefined;
  const value = sign === "-" ? -BigInt(digits) : BigInt(digits);
  return BigInt.asIntN(64, value) === value ? { kind: "i8", value } : undefined;
}

function booleanOf(given: string): XmlRpcValue | undefined {
  const bit = given.trim();
  return bit === "0" || bit === "1" ? { kind: "boolean", value: bit === "1" } : undefined;
}

function doubleOf(given: string): XmlRpcValue | undefined {
  const isNumber = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(given.trim());
  const value = isNumber ? Number(given) : Number.NaN;
  return Number.isFinite(value) ? { kind: "double", value } : undefined;
}

function bytesOf(given: string): XmlRpcValue | undefined {
  // Clients break long texts into lines.
  const value = decodeBase64(given.replace(/[ \t\r\n]+/g, ""));
  return value === undefined ? undefined : { kind: "base64", value };
}

function dateTimeOf(given: string): XmlRpcValue | undefined {
  const value = given.trim();
  const isTime = /^\d{4}-?\d\d-?\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?$/;
  return isTime.test(value) ? { kind: "dateTime", value } : undefined;
}

function nilOf(given: string): XmlRpcValue | undefined {
  return given === "" ? { kind: "nil" } : undefined;
}

function expectName(element: XmlElement, name: string): void {
  if (element.name !== name)
    throw new ShapeError(`<${element.name}> stands in the place of ${name}`);
}

function onlyChild(element: XmlElement): XmlElement {
  const [child, ...rest] = childrenOf(element);
  if (child !== undefined && rest.length === 0) return child;
  throw new ShapeError(`<${element.name}> holds one element`);
}

function childrenOf(element: XmlElement): readonly XmlElement[] {
  if (element.text.trim() === "") return element.children;
  throw new ShapeError(`there is text between the elements of <${element.name}>`);
}

function textOf(element: XmlElement): string {
  if (element.children.length === 0) return element.text;
  throw new ShapeError(`<${element.name}> holds text only`);
}
