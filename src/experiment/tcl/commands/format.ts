// SPDX-License-Identifier: MIT
// The `format` command: printf-like conversion with bounded width and precision.

import { TclError } from "../error.ts";
import type { CommandDefinition, Interpreter } from "../interpreter.ts";
import { Double, parseNumber, toDouble } from "../number.ts";
import { arg, command, integerArg, many } from "./shared.ts";

const widthMax = 1024 * 1024;
const conversionAt =
  /%(?:([0-9]+)\$)?([-+ 0#]*)(\*|[0-9]+)?(?:\.(\*|[0-9]+)?)?(ll|h|l|q|j|z|t|L)?(.)?/gsy;

interface Conversion {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly type: string;
}

/** Formats `argv[2...]` by the template `argv[1]`. */
export function formatCommand(interp: Interpreter, argv: readonly string[]): string {
  const template = arg(argv, 1);
  let result = "";
  let next = 2;
  const take = (): number => {
    if (next >= argv.length) {
      throw new TclError("TCL_FORMAT", "not enough arguments for all format specifiers", {
        word: 1,
      });
    }
    next += 1;
    return next - 1;
  };
  for (let at = 0; at < template.length; ) {
    if (template[at] !== "%") {
      const stop = template.indexOf("%", at);
      const end = stop < 0 ? template.length : stop;
      result += template.slice(at, end);
      at = end;
      continue;
    }
    conversionAt.lastIndex = at;
    const match = conversionAt.exec(template);
    at += match?.[0].length ?? 1;
    const [, position, flags = "", widthText, precisionText, , type = ""] = match ?? [];
    if (type === "%") {
      result += "%";
      continue;
    }
    const dynamicWidth = widthText === "*" ? integerArg(argv, take()) : Number(widthText ?? "0");
    const hasPoint = match !== null && /\./.test(match[0].slice(0, -1));
    const precision =
      precisionText === "*"
        ? integerArg(argv, take())
        : hasPoint
          ? Number(precisionText ?? "0")
          : undefined;
    const index = position === undefined ? take() : Number(position) + 1;
    const allFlags = dynamicWidth < 0 ? `${flags}-` : flags;
    const conversion = { flags: allFlags, width: Math.abs(dynamicWidth), precision, type };
    if (conversion.width > widthMax || (precision ?? 0) > widthMax) {
      throw new TclError("TCL_FORMAT", `format width or precision beyond ${widthMax}`, { word: 1 });
    }
    if (index >= argv.length) {
      throw new TclError("TCL_FORMAT", '"%n$" argument index out of range', { word: 1 });
    }
    const piece = convert(argv, index, conversion);
    interp.memory.reserve(result.length + piece.length);
    result += piece;
  }
  return result;
}

function convert(argv: readonly string[], index: number, conversion: Conversion): string {
  const { type, precision } = conversion;
  switch (type) {
    case "s": {
      const text = arg(argv, index);
      return pad(precision === undefined ? text : text.slice(0, precision), "", conversion);
    }
    case "c":
      return pad(
        String.fromCodePoint(Math.max(0, integerArg(argv, index)) % 0x110000),
        "",
        conversion,
      );
    case "d":
    case "i":
    case "u":
    case "x":
    case "X":
    case "o":
    case "b":
      return formatInteger(argv, index, conversion);
    case "e":
    case "E":
    case "f":
    case "g":
    case "G":
      return formatFloat(argv, index, conversion);
    default:
      throw new TclError("TCL_FORMAT", `bad field specifier "${type}"`, { word: 1 });
  }
}

const radixes: Readonly<Record<string, number>> = { x: 16, X: 16, o: 8, b: 2 };
const prefixes: Readonly<Record<string, string>> = { x: "0x", X: "0x", o: "0o", b: "0b" };

function formatInteger(argv: readonly string[], index: number, conversion: Conversion): string {
  const text = arg(argv, index);
  const number = parseNumber(text);
  if (number === undefined || number instanceof Double) {
    throw new TclError("TCL_NUMBER", `expected integer but got "${text}"`, { word: index });
  }
  let value = BigInt(number);
  const { type, flags, precision } = conversion;
  if (type !== "d" && type !== "i" && value < 0n) value = BigInt.asUintN(64, value);
  const negative = value < 0n;
  let digits = (negative ? -value : value).toString(radixes[type] ?? 10);
  if (type === "X") digits = digits.toUpperCase();
  if (precision !== undefined) digits = digits.padStart(precision, "0");
  const prefix = flags.includes("#") && value !== 0n ? (prefixes[type] ?? "") : "";
  return pad(digits, sign(negative, conversion) + prefix, conversion);
}

function sign(negative: boolean, { flags }: Conversion): string {
  if (negative) return "-";
  if (flags.includes("+")) return "+";
  return flags.includes(" ") ? " " : "";
}

function formatFloat(argv: readonly string[], index: number, conversion: Conversion): string {
  const text = arg(argv, index);
  const number = parseNumber(text);
  if (number === undefined) {
    const message = `expected floating-point number but got "${text}"`;
    throw new TclError("TCL_NUMBER", message, { word: index });
  }
  const value = toDouble(number);
  const negative = value < 0 || Object.is(value, -0);
  const magnitude = Math.abs(value);
  // toFixed and its kin take at most 100 digits; further ones are zeros.
  const precision = Math.min(conversion.precision ?? 6, 100);
  let digits: string;
  if (!Number.isFinite(magnitude)) digits = Number.isNaN(magnitude) ? "nan" : "inf";
  else if (conversion.type === "f") digits = fixed(magnitude, precision);
  else if (conversion.type === "e" || conversion.type === "E")
    digits = exponent(magnitude, precision);
  else digits = general(magnitude, precision, conversion.flags.includes("#"));
  if (conversion.type === "E" || conversion.type === "G") digits = digits.toUpperCase();
  return pad(digits, sign(negative, conversion), conversion);
}

/** toFixed gives an exponent from 1e21 on; those doubles are integers. */
function fixed(value: number, precision: number): string {
  if (value < 1e21) return value.toFixed(precision);
  const whole = BigInt(value).toString();
  return precision === 0 ? whole : `${whole}.${"0".repeat(precision)}`;
}

function exponent(value: number, precision: number): string {
  const [digits = "", power = "+0"] = value.toExponential(precision).split("e");
  return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

function general(value: number, precision: number, keepZeros: boolean): string {
  const significant = Math.max(1, precision);
  const power = value === 0 ? 0 : Number(value.toExponential(significant - 1).split("e")[1]);
  const plain = power >= -4 && power < significant;
  const text = plain ? fixed(value, significant - 1 - power) : exponent(value, significant - 1);
  if (keepZeros || !text.includes(".")) return text;
  const [digits = "", tail] = text.split("e");
  const short = digits.replace(/0+$/, "").replace(/\.$/, "");
  return tail === undefined ? short : `${short}e${tail}`;
}

function pad(body: string, prefix: string, { flags, width, type, precision }: Conversion): string {
  const missing = width - prefix.length - body.length;
  if (missing <= 0) return prefix + body;
  if (flags.includes("-")) return prefix + body + " ".repeat(missing);
  const integerWithPrecision = precision !== undefined && !"eEfgGsc".includes(type);
  const zeros = flags.includes("0") && !"sc".includes(type) && !integerWithPrecision;
  return zeros ? prefix + "0".repeat(missing) + body : " ".repeat(missing) + prefix + body;
}

/** The format command. */
export const formatCommands: readonly CommandDefinition[] = [
  command("format", "formatString ?arg ...?", 2, many, formatCommand),
];
