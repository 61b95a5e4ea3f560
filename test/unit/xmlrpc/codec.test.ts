// SPDX-License-Identifier: MIT
// Goal: XML-RPC messages in both directions, and that no bytes make the reader throw, grow, or
// guess. Method: rows of text and value, round trips of arbitrary values, every cut of a message,
// single wrong characters, and each limit at it and one past it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  array,
  decodeCall,
  decodeResponse,
  double,
  encodeCall,
  encodeResponse,
  flag,
  struct,
  text,
  whole,
  type XmlRpcValue,
} from "../../../src/wire/xmlrpc/index.ts";
import {
  depthMax,
  elementsMax,
  methodCharsMax,
  paramsMax,
} from "../../../src/wire/xmlrpc/limits.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const response = (value: string): string =>
  `<?xml version="1.0"?><methodResponse><params><param><value>${value}</value></param></params></methodResponse>`;

/** What a value is read as, or why it is not. */
function read(value: string): XmlRpcValue | string {
  const decoded = decodeResponse(bytes(response(value)));
  return decoded.kind === "value" ? decoded.value : decoded.message;
}

const rows: readonly (readonly [string, XmlRpcValue])[] = [
  ["<int>7</int>", whole(7)],
  ["<int>-2147483648</int>", whole(-2_147_483_648)],
  ["<i8>2147483648</i8>", whole(2_147_483_648)],
  ["<i8>-9223372036854775808</i8>", { kind: "i8", value: -(2n ** 63n) }],
  ["<boolean>1</boolean>", flag(true)],
  ["<boolean>0</boolean>", flag(false)],
  ["<double>-2.5</double>", double(-2.5)],
  ["<double>1000000000000000000000000</double>", double(1e24)],
  ["<double>0.00000015</double>", double(1.5e-7)],
  ['<string>a &lt;b&gt; &amp; "c"&#13;\n é 🎉</string>', text('a <b> & "c"\r\n é 🎉')],
  ["<base64>AAECAw==</base64>", { kind: "base64", value: new Uint8Array([0, 1, 2, 3]) }],
  [
    "<dateTime.iso8601>20040830T12:00:01</dateTime.iso8601>",
    { kind: "dateTime", value: "20040830T12:00:01" },
  ],
  ["<array><data></data></array>", array([])],
  [
    "<struct><member><name>proj</name><value><string>p</string></value></member></struct>",
    struct([["proj", text("p")]]),
  ],
  ["<nil/>", { kind: "nil" }],
];

describe("values", () => {
  it.each(rows)("%s in both directions", (written, value) => {
    expect(read(written)).toEqual(value);
    const encoded = new TextDecoder().decode(encodeResponse({ kind: "value", value }));
    expect(encoded).toContain(`<value>${written}</value>`);
  });

  it.each([
    ["plain  ", text("plain  ")],
    ["", text("")],
    ["<i4> +5 </i4>", whole(5)],
    ["<int>-0</int>", whole(0)],
    ["<ex:i8>5</ex:i8>", { kind: "i8", value: 5n }],
    ["<ex:nil/>", { kind: "nil" }],
    ["<double>1e3</double>", double(1000)],
    ["<string><![CDATA[<&>]]>&quot;&apos;&#x41;</string>", text("<&>\"'A")],
    ["<string>a\r\nb\rc</string>", text("a\nb\nc")],
    ["\n <int>1</int>\n ", whole(1)],
    ["<!-- one --><int x='1'>1</int><?pi 1?>", whole(1)],
    ["<base64>AA\n EC\n</base64>", { kind: "base64", value: new Uint8Array([0, 1, 2]) }],
    ["<base64></base64>", { kind: "base64", value: new Uint8Array() }],
    [
      "<dateTime.iso8601>2004-08-30T12:00:01Z</dateTime.iso8601>",
      {
        kind: "dateTime",
        value: "2004-08-30T12:00:01Z",
      },
    ],
  ] as const)("%s as others may write it", (written, value) => {
    expect(read(written)).toEqual(value);
  });

  it.each([
    ["<int>2147483648</int>", "this <int> is none"],
    ["<int></int>", "this <int> is none"],
    ["<int>1 2</int>", "this <int> is none"],
    ["<int>0x1</int>", "this <int> is none"],
    ["<i8>9223372036854775808</i8>", "this <i8> is none"],
    ["<boolean>true</boolean>", "this <boolean> is none"],
    ["<double>NaN</double>", "this <double> is none"],
    ["<double>1e999</double>", "this <double> is none"],
    ["<base64>AAE</base64>", "this <base64> is none"],
    ["<base64>A===</base64>", "this <base64> is none"],
    ["<base64>AA*=</base64>", "this <base64> is none"],
    ["<dateTime.iso8601>yesterday</dateTime.iso8601>", "this <dateTime.iso8601> is none"],
    ["<nil>1</nil>", "this <nil> is none"],
    ["<float>1</float>", "<float> is no type of a value"],
    ["<int>1</int><int>2</int>", "<value> holds one element"],
    ["x<int>1</int>", "there is text between the elements of <value>"],
    ["<string><b/></string>", "<string> holds text only"],
    ["<array><value>1</value></array>", "<value> stands in the place of data"],
    [
      "<struct><member><name>a</name><value>1</value></member><member><name>a</name><value>2</value></member></struct>",
      'the member "a" is there twice',
    ],
    ["<struct><member><value>1</value></member></struct>", "a member holds a name and a value"],
  ])("%s not at all", (written, message) => {
    expect(read(written)).toBe(message);
  });

  it("with characters that XML has not go out as U+FFFD", () => {
    const value = text("a\u0000b\u001bc\ud800d\uffff");
    const decoded = decodeResponse(encodeResponse({ kind: "value", value }));
    expect(decoded).toEqual({ kind: "value", value: text("a\ufffdb\ufffdc\ufffdd\ufffd") });
  });
});

describe("documents", () => {
  it.each([
    ["", "there is no element"],
    ["<a>", "the document ends within <a>"],
    ["<a></b>", "</b> stands within <a>"],
    ["</a>", "</a> stands outside of any element"],
    ["<a/><b/>", "there is more than one element"],
    ["x<a/>", "there is text outside of the element"],
    ["<a>&nbsp;</a>", "&nbsp; is no reference; write &amp; for &"],
    ["<a>1 & 2</a>", "& 2 is no reference; write &amp; for &"],
    ["<a>&#0;</a>", "&#0; is no character of XML"],
    ["<a>&#x110000;</a>", "&#x110000; is no character of XML"],
    ["<a>\u0001</a>", "the character U+0001 is none of XML"],
    ["<a", "character 1 begins no tag"],
    ["<a b></a>", "character 1 begins no tag"],
    ["<a><!-- </a>", "<!-- has no -->"],
    ["<a><![CDATA[ </a>", "<![CDATA[ has no ]]>"],
    [
      '<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
      "the encoding ISO-8859-1 is not read; send UTF-8",
    ],
    ["<!DOCTYPE a><a/>", "a document type is not read"],
    [
      '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>',
      "a document type is not read",
    ],
    ['<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "a document type is not read"],
    ['<a><!ENTITY x "ha"></a>', "a document type is not read"],
  ])("refuses %j", (written, message) => {
    expect(decodeCall(bytes(written))).toEqual({ kind: "malformed", code: "not-xml", message });
  });

  it("refuses bytes that are not UTF-8", () => {
    const message = "the message is not UTF-8";
    const given = new Uint8Array([0x3c, 0x61, 0xff]);
    expect(decodeCall(given)).toEqual({ kind: "malformed", code: "not-xml", message });
  });

  it.each([
    ["<methodResponse/>", "<methodResponse> is no methodCall"],
    ["<methodCall/>", "a methodCall holds a methodName and params"],
    ["<methodCall><methodName>a b</methodName></methodCall>", expect.stringContaining("the name")],
    [
      "<methodCall><methodName>a</methodName><value/></methodCall>",
      expect.stringContaining("params"),
    ],
  ])("refuses %s as no call", (written, message) => {
    expect(decodeCall(bytes(written))).toEqual({ kind: "malformed", code: "not-xmlrpc", message });
  });

  it("reads a call without params, with a byte order mark and line ends of any kind", () => {
    const written =
      "\ufeff<?xml version='1.0'?>\r\n<methodCall>\r\n<methodName>a.b</methodName>\r</methodCall>\n";
    expect(decodeCall(bytes(written))).toEqual({ kind: "call", method: "a.b", params: [] });
  });

  it("reads and writes faults", () => {
    const fault = { kind: "fault", code: -32_601, message: "no <such> method" } as const;
    expect(decodeResponse(encodeResponse(fault))).toEqual(fault);
    const bare = "<methodResponse><fault><value>x</value></fault></methodResponse>";
    expect(decodeResponse(bytes(bare))).toMatchObject({ kind: "malformed", code: "not-xmlrpc" });
  });
});

describe("limits", () => {
  const nested = (depth: number): string =>
    "<array><data><value>".repeat(depth) + "</value></data></array>".repeat(depth);

  it("depth", () => {
    expect(read(nested(depthMax))).toMatchObject({ kind: "array" });
    expect(read(nested(depthMax + 1))).toContain("limit depthMax");
    expect(read("<a>".repeat(1_000_000))).toContain("limit depthMax");
  });

  it("none of attributes and references but the size of the message", () => {
    expect(read(`<int${' x=""'.repeat(1_000_000)}>7</int>`)).toEqual(whole(7));
    expect(read(`<int${' x=""'.repeat(10)}!`)).toMatch(/^character \d+ begins no tag$/);
    expect(read(`<string>${"&amp;".repeat(10_000)}</string>`)).toEqual(text("&".repeat(10_000)));
  });

  it("names and parameters", () => {
    const call = (name: string, params: number): string =>
      `<methodCall><methodName>${name}</methodName><params>${"<param><value>1</value></param>".repeat(params)}</params></methodCall>`;
    const kindOf = (written: string): string => decodeCall(bytes(written)).kind;
    expect(kindOf(call("a".repeat(methodCharsMax), paramsMax))).toBe("call");
    expect(kindOf(call("a".repeat(methodCharsMax + 1), 0))).toBe("malformed");
    expect(kindOf(call("a", paramsMax + 1))).toBe("malformed");
  });

  it("elements", () => {
    // Besides methodResponse, params, param, value, array and data.
    const many = (count: number): string =>
      `<array><data>${"<value/>".repeat(count - 6)}</data></array>`;
    expect(read(many(elementsMax))).toMatchObject({ kind: "array" });
    expect(read(many(elementsMax + 1))).toContain("limit elementsMax");
  });
});

const leaf: fc.Arbitrary<XmlRpcValue> = fc.oneof(
  fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }).map(whole),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value) => ({ kind: "i8", value }) as const),
  fc.boolean().map(flag),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => double(value + 0)),
  fc.string({ unit: "grapheme" }).map(text),
  fc.uint8Array({ maxLength: 40 }).map((value) => ({ kind: "base64", value }) as const),
  fc.constant({ kind: "nil" } as const),
);
const anyValue: fc.Arbitrary<XmlRpcValue> = fc.letrec<{ value: XmlRpcValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }).map(array),
    fc
      .uniqueArray(fc.tuple(fc.string(), tie("value")), {
        maxLength: 4,
        selector: ([name]) => name,
      })
      .map(struct),
  ),
})).value;

describe("for any input", () => {
  it("what goes out comes in", () => {
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 4 }), (params) => {
        const call = { kind: "call", method: "experiment.state", params } as const;
        expect(decodeCall(encodeCall(call))).toEqual(call);
      }),
    );
  });

  it("no part of a call is a call", () => {
    const sent = encodeCall({ method: "a.b", params: [double(0.1), struct([["a", text("<é>")]])] });
    for (let length = 0; length < sent.length; length += 1) {
      expect(decodeCall(sent.subarray(0, length)).kind).toBe("malformed");
    }
    expect(decodeCall(sent).kind).toBe("call");
  });

  it("nothing throws: garbage, tags in any order, one byte changed", () => {
    const words = [
      "<value>",
      "</value>",
      "<int>",
      "</int>",
      "<struct>",
      "<member>",
      "<!--",
      "]]>",
      "&lt;",
      "<a b='",
      "1",
    ];
    const soup = fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((all) => all.join(""));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (given) => void decodeCall(given)));
    fc.assert(fc.property(soup, (given) => void decodeResponse(bytes(response(given)))));
    const call = encodeCall({ method: "a.b", params: [whole(1), struct([["a", text("b")]])] });
    fc.assert(
      fc.property(fc.nat(call.length - 1), fc.nat(255), (at, byte) => {
        void decodeCall(call.with(at, byte));
      }),
      { numRuns: 1000 },
    );
  });
});
